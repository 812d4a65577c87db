--- A transport that has its response at once: what a call costs without a network.

local null_transport = {}

function null_transport.send(_, _, parse)
  return parse(200, "{}", "")
end

function null_transport.step()
  return 0
end

function null_transport.close()
end

return null_transport
