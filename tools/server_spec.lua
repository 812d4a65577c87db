-- `make server`: what it prints is enough to publish, and it ends without leaving anything.

local pusher = require "pusher"
local terminal = require "tools.terminal"

describe("make server", function()
  local server

  after_each(function()
    server:close()
  end)

  for how, method in pairs { ["Ctrl-C"] = "interrupt", ["TERM for make"] = "terminate" } do
    it("prints its URL and each event, and ends at " .. how, function()
      server = terminal.start("make -s server PORT=0")
      local url = server:find("^%s*PUSHER_URL%s+(%S+)$")
      local client = assert(pusher.from_url(url, { timeout = 30 }))
      assert.equal(url:match(":(%d+)/"), server:find('new Pusher%("app%-key", { wsHost: "127.0.0.1", wsPort: (%d+), '))
      assert(client:trigger("my-channel", "my-event", { text = "hello\n" }))
      assert.equal('my-channel  my-event  {"text":"hello\\n"}', server:find("^my%-channel.*"))

      server[method](server)
      local rest, left = server:finish()
      assert.is_nil(rest:find("No such process", 1, true), rest)
      assert.equal("", left)
      local result, _, details = client:trigger("a", "b", "c")
      client:close()
      assert.is_nil(result)
      assert.equal("network", details.code)
    end)
  end

  it("names a port that is taken or invalid, and what else is wrong, in one line", function()
    server = terminal.start("make -s server PORT=0")
    local port = server:find("^%s*PUSHER_URL.*:(%d+)/")
    local refuse = "env -u MAKEFLAGS -u MAKELEVEL make -s server PORT=%s 2>&1 </dev/null | grep -v '^make: '"
    assert.equal("server: port " .. port .. ": Address already in use\n", terminal.output_of(refuse:format(port)))
    for given, shown in pairs { ["70000"] = "70000", ["6.5"] = "6.5", ["x"] = "x", ["-1"] = "-1", [""] = "none" } do
      assert.equal("server: PORT must be a whole number from 0 to 65535, got " .. shown .. "\n",
        terminal.output_of(refuse:format(given)))
    end
    assert.matches("\nserver: the local server did not start: %(no output%)\n$",
      terminal.output_of("TMPDIR=/nonexistent " .. refuse:format(0)))
  end)

  it("takes a URL for webhooks, and nothing else", function()
    server = terminal.start("make -s server PORT=0 WEBHOOK=http://127.0.0.1:1/hook")
    assert.equal("http://127.0.0.1:1/hook", server:find("^%s*webhooks%s+(%S+)$"))
    for _, given in ipairs { "not a url", "127.0.0.1:8080/hook", "ftp://127.0.0.1/", "http://", "http:///hook" } do
      assert.equal("server: WEBHOOK must be a URL such as http://127.0.0.1:8080/pusher/webhook, got " .. given .. "\n",
        terminal.output_of(("env -u MAKEFLAGS -u MAKELEVEL make -s server PORT=0 WEBHOOK='%s' 2>&1 </dev/null | grep -v '^make: '")
          :format(given)))
    end
  end)
end)
