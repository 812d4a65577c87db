--- What the cases of the wire are written with.

local form = {}

--- The body of the common response, and its outcome.
form.BODY = '{"ok":1}'
form.OK = { status = 200, body = form.BODY }

--- The same body, compressed (RFC 1952).
form.GZIP = "\31\139\8\0\0\0\0\0\2\3\171\86\202\207\86\178\50\172\5\0\9\140\84\16\8\0\0\0"

--- A response that nobody asked for.
form.FORGED = 'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"forged":1}'

--- The only outcome of what is no HTTP, and the outcomes of what some readers accept.
form.REFUSED = { "network" }
form.EITHER = { form.OK, "network" }

--- A response: lines that end in "\n" here and in CRLF on the wire, an empty line, and the body.
function form.response(lines, body)
  return (lines:gsub("\n", "\r\n")) .. "\r\n" .. (body or "")
end

--- Status 200, these lines, and the common body.
function form.ok(lines)
  return form.response("HTTP/1.1 200 OK\n" .. lines, form.BODY)
end

--- The same with the right Content-Length.
function form.sized(lines)
  return form.ok((lines or "") .. "Content-Length: 8\n")
end

--- Status 200, these lines, Transfer-Encoding: chunked, and a body that is chunked already.
function form.chunked(body, lines)
  return form.response("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n" .. (lines or ""), body)
end

return form
