--- Chunked bodies, and other Transfer-Encodings.

local form = require "spec.helpers.wire_cases.form"

local BODY, OK, EITHER, REFUSED = form.BODY, form.OK, form.EITHER, form.REFUSED
local chunked, ok, response = form.chunked, form.ok, form.response

local WHOLE = "8\r\n" .. BODY .. "\r\n"
local PLAIN = WHOLE .. "0\r\n\r\n"
local CODINGS = "ngx knows chunked, once; libcurl knows more, and which depends on its version"

-- libcurl 8.12 ignores a transfer coding that it did not ask for, and then chunked, too: it waits for the end.
local IGNORED = { ["8.12"] = { allow = { "timeout" } } }
local SURPLUS = "libcurl 8.19 and later leave what came over TLS in a buffer, for the next request"
local DIGITS = { allow = { { status = 200, body = "" } } }
-- The length counts.
local UNFOLDED = { allow = { { status = 200, body = PLAIN:sub(1, #BODY) } } }

-- A chunk whose size is written in this way.
local function size(text)
  return chunked(text .. "\r\n" .. BODY .. "\r\n0\r\n\r\n")
end

-- A trailer of one line.
local function trailer(line)
  return chunked(WHOLE .. "0\r\n" .. line .. "\r\n\r\n")
end

return {
  { name = "a chunk", bytes = chunked(PLAIN), kept = true },
  { name = "chunks, byte by byte", bytes = chunked('3;a="b"\r\n{"o\r\n5\r\nk":1}\r\n0\r\nX-T: 1\r\n\r\n'), size = 1,
    kept = true },
  { name = "Chunked, and zeros before the sizes", kept = true,
    bytes = response("HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\n", "0008\r\n" .. BODY .. "\r\n0000\r\n\r\n") },
  { name = "a size of 15 digits", bytes = size "000000000000008", kept = true },
  { name = "a size of 16 digits in capitals", bytes = chunked("000000000000000C\r\n{\"ok\":    1}\r\n0\r\n\r\n"),
    allow = { { status = 200, body = '{"ok":    1}' } }, kept = true },
  { name = "a size and a space", bytes = size "8 ", kept = true },
  { name = "chunk extensions", bytes = chunked('8;a=b;c="d"\r\n' .. BODY .. "\r\n0;z\r\n\r\n"), kept = true },
  { name = "a chunk extension of 70 KB", bytes = size("8;" .. ("a"):rep(70000)), allow = { OK, "too_large" },
    ngx = { "too_large" }, why = "ngx counts extensions as head, up to 64 KiB; libcurl skips them" },
  { name = "trailers", bytes = trailer("X-T: 1\r\nContent-Length: 5"), kept = true },
  { name = "a trailer that says Connection: close", bytes = trailer("Connection: close") },
  { name = "a trailer that begins with HTTP/", bytes = trailer("HTTP/1.1 500: x"), kept = true },
  { name = "a trailer without a colon", bytes = trailer("nonsense"), allow = EITHER, ngx = { OK },
    why = "ngx does not look at trailers" },
  { name = "a trailer of 200,000 bytes", bytes = trailer("X-T: " .. ("y"):rep(200000)), allow = { "too_large" },
    libcurl = { ["7.69"] = { allow = { OK } } }, why = "libcurl 7.69 has no limit there" },
  { name = "trailers of 200 KB", bytes = trailer(("X-T: " .. ("y"):rep(1000) .. "\r\n"):rep(200) .. "X: y"),
    allow = { OK, "too_large", "network" }, ngx = { "too_large" },
    why = "ngx counts trailers as head; libcurl drops them one by one" },
  { name = "a second response behind the last chunk", bytes = chunked(PLAIN .. form.FORGED) },
  { name = "40 KB behind the last chunk", bytes = chunked(PLAIN .. ("x"):rep(40000)), kept = false,
    libcurl = { ["8.19"] = { own = "network" }, ["8.23"] = { own = "network" } }, why = SURPLUS },
  { name = "size zz", bytes = size "zz", after = "close", allow = REFUSED },
  { name = "an empty size", bytes = size "", after = "close", allow = REFUSED },
  { name = "size 0x8", bytes = size "0x8", after = "close", allow = REFUSED,
    libcurl = { ["7.69"] = DIGITS, ["7.79"] = DIGITS }, why = "old versions of libcurl read the 0" },
  { name = "size -8", bytes = size "-8", after = "close", allow = REFUSED },
  { name = "size +8", bytes = size "+8", after = "close", allow = REFUSED },
  { name = "a space before the size", bytes = size " 8", after = "close", allow = REFUSED, curl = EITHER,
    why = "some versions of libcurl skip it" },
  { name = "size 2^64 - 1", bytes = size "FFFFFFFFFFFFFFFF", after = "close", allow = { "network", "too_large" },
    ngx = REFUSED, why = "ngx reads at most 8 digits" },
  { name = "size 2^64 + 8", bytes = size "10000000000000008", after = "close", allow = REFUSED },
  { name = "a chunk longer than its size", bytes = size "7", after = "close", allow = REFUSED },
  { name = "a size that counts the CR", bytes = size "9", after = "close",
    allow = { { status = 200, body = BODY .. "\r" }, "network" } },
  { name = "no last chunk", bytes = chunked(WHOLE), after = "close", allow = REFUSED },
  { name = "no empty line behind the last chunk", bytes = chunked(WHOLE .. "0\r\n"), after = "close", allow = REFUSED },
  { name = "chunks with LF", bytes = chunked("8\n" .. BODY .. "\n0\n\n"), allow = EITHER, ngx = { OK },
    why = "RFC 9112 2.2 allows a client to accept LF" },
  { name = "chunked and a length", bytes = response("HTTP/1.1 200 OK\nContent-Length: 3\nTransfer-Encoding: chunked\n",
    PLAIN) },
  { name = "chunked, a length, and a second response within it",
    bytes = chunked(PLAIN .. form.FORGED, "Content-Length: 200\n") },
  { name = "chunked in HTTP/1.0", bytes = response("HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n", PLAIN),
    allow = EITHER, ngx = { OK }, why = "RFC 9112 6.1 calls it faulty, and lets a client decide" },
  { name = "chunked twice", bytes = chunked(PLAIN, "Transfer-Encoding: chunked\n"), allow = REFUSED, curl = EITHER,
    why = CODINGS },
  { name = "gzip, chunked", allow = EITHER, ngx = REFUSED, why = CODINGS, libcurl = IGNORED,
    bytes = response("HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n",
      ("%x\r\n"):format(#form.GZIP) .. form.GZIP .. "\r\n0\r\n\r\n") },
  { name = "gzip, chunked, of what is not", allow = REFUSED, libcurl = IGNORED, why = CODINGS,
    bytes = response("HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n", PLAIN) },
  { name = "Transfer-Encoding: identity", bytes = ok("Transfer-Encoding: identity\nContent-Length: 8\n"),
    allow = REFUSED, curl = { OK, "network", "timeout" },
    why = "RFC 9112 has no identity; a libcurl that ignores the length waits for the end of the connection" },
  { name = "Transfer-Encoding: xchunked", bytes = ok("Transfer-Encoding: xchunked\nContent-Length: 8\n"),
    allow = REFUSED, libcurl = { ["8.12"] = { allow = EITHER } }, why = CODINGS },
  { name = "a folded Transfer-Encoding", allow = REFUSED, curl = { OK, "network", "timeout" },
    libcurl = { ["7.69"] = UNFOLDED, ["8.12"] = UNFOLDED },
    bytes = response("HTTP/1.1 200 OK\nTransfer-Encoding:\n chunked\nContent-Length: 8\n", PLAIN),
    why = "RFC 9112 5.2 lets a client put the lines together; ngx accepts no fold in what frames the body" },
}
