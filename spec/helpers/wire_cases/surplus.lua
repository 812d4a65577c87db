--- More than the response, in pieces: over TLS each begins a record, and libcurl reads no more of one than the length of
-- the body.

local form = require "spec.helpers.wire_cases.form"

local BODY, FORGED = form.BODY, form.FORGED
local chunked, response = form.chunked, form.response

local HEAD = response("HTTP/1.1 200 OK\nContent-Length: 8\n")
local EARLY = response("HTTP/1.1 103 Early Hints\nLink: x\n")
local CHUNK = "8\r\n" .. BODY .. "\r\n"
local LARGE = ("x"):rep(20000)

local function head_of(length)
  return response(("HTTP/1.1 200 OK\nContent-Length: %d\n"):format(length))
end

-- The body is the common one, and the connection must not be kept.
local function surplus(name, ...)
  return { name = "in pieces: " .. name, pieces = { ... }, kept = false,
    libcurl = { ["7.69"] = { kept = "either" } }, why = "libcurl 7.69 drops the bytes that it has read" }
end

-- The same with a body of 20,000 bytes.
local function large(name, ...)
  local case = surplus(name, ...)
  case.allow = { { status = 200, body = LARGE } }
  return case
end

-- Nothing follows the response.
local function whole(name, ...)
  local case = surplus(name, ...)
  case.kept = true
  return case
end

-- libcurl drops what follows the last chunk, and may keep the connection.
local function chunked_surplus(name, ...)
  local case = surplus(name, ...)
  case.kept = nil
  return case
end

return {
  whole("head, body", HEAD, BODY),
  whole("head, half a body, the rest", HEAD, BODY:sub(1, 3), BODY:sub(4)),
  whole("half a head, the rest with the body", HEAD:sub(1, 20), HEAD:sub(21) .. BODY),
  whole("chunked: head, chunk, last chunk", chunked "", CHUNK, "0\r\n\r\n"),
  surplus("head, body and a response", HEAD, BODY .. FORGED),
  surplus("head, half a body, the rest and a response", HEAD, BODY:sub(1, 3), BODY:sub(4) .. FORGED),
  surplus("head and half a body, the rest and a response", HEAD .. BODY:sub(1, 3), BODY:sub(4) .. FORGED),
  surplus("head, body and CRLF", HEAD, BODY .. "\r\n"),
  surplus("head, body and a byte", HEAD, BODY .. "x"),
  surplus("interim response, head, body and a response", EARLY, HEAD, BODY .. FORGED),
  surplus("103 and the head, body and a response", EARLY .. HEAD, BODY .. FORGED),
  large("20 KB at once, and a response", head_of(#LARGE) .. LARGE .. FORGED),
  large("head, 20 KB and a response", head_of(#LARGE), LARGE .. FORGED),
  large("head, 20 KB and CRLF", head_of(#LARGE), LARGE .. "\r\n"),
  chunked_surplus("chunked: head and chunk, last chunk and a response", chunked(CHUNK), "0\r\n\r\n" .. FORGED),
  chunked_surplus("chunked: all but LF, LF and a response", chunked(CHUNK .. "0\r\n\r"), "\n" .. FORGED),
  surplus("all but the last byte, that and a response", HEAD .. BODY:sub(1, -2), BODY:sub(-1) .. FORGED),
}
