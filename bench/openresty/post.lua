-- For wrk: the requests of pusher-js with the headers that Chromium adds. After "--": options as name=value.
--   body=…         the form (default: one private channel)
--   close=1        each request on a connection of its own, as different visitors come
-- The last line of output is JSON with the counts.

function init(args)
  local options = {}
  for _, word in ipairs(args) do
    local name, value = word:match("^(%w+)=(.*)$")
    if name then
      options[name] = value
    end
  end
  wrk.method = "POST"
  wrk.body = options.body or "socket_id=1234.5678&channel_name=private-chat-1"
  local headers = {
    ["Content-Type"] = "application/x-www-form-urlencoded",
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
      .. "Chrome/156.0.0.0 Safari/537.36",
    ["Accept"] = "*/*",
    ["Accept-Encoding"] = "gzip, deflate, br, zstd",
    ["Accept-Language"] = "en-US,en;q=0.9",
    ["Origin"] = "http://127.0.0.1:8080",
    ["Referer"] = "http://127.0.0.1:8080/",
    ["Sec-Fetch-Site"] = "same-origin",
    ["Sec-Fetch-Mode"] = "cors",
    ["Sec-Fetch-Dest"] = "empty",
    ["sec-ch-ua"] = '"Chromium";v="156", "Not)A;Brand";v="24"',
    ["sec-ch-ua-mobile"] = "?0",
    ["sec-ch-ua-platform"] = '"Linux"',
    ["Cookie"] = "session=f3b1c9e0a7d24f7e9a55",
    ["Connection"] = options.close and "close" or nil,
  }
  for name, value in pairs(headers) do
    wrk.headers[name] = value
  end
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout
  io.write(('{"requests":%d,"seconds":%.6f,"failed":%d,"refused":%d,"p50_us":%.0f,"p99_us":%.0f}\n'):format(
    summary.requests, summary.duration / 1e6, failed, errors.status, latency:percentile(50), latency:percentile(99)))
end
