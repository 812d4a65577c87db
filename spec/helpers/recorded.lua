--- What a recorder (pusher.transport.recorder) has seen, as one text.

local recorded = {}

--- The channels, or users, of the events: "a b c".
function recorded.channels(recorder)
  local names = {}
  for index, event in ipairs(recorder:events()) do
    names[index] = event.channel or event.user_id
  end
  return table.concat(names, " ")
end

--- What became of the requests: "200 timeout 429".
function recorded.outcomes(recorder)
  local list = {}
  for index, sent in ipairs(recorder:requests()) do
    list[index] = tostring(sent.status or sent.code)
  end
  return table.concat(list, " ")
end

return recorded
