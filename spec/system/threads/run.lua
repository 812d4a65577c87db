-- Runs the scripts of this folder in many threads at once, by the host of spec/system/threads/host.c:
-- run.lua HOST THREADS TRIGGERS. `make threads` builds host and modules with ThreadSanitizer.

local server = require "tools.local_server"

local host, threads, triggers = arg[1], tonumber(arg[2]), tonumber(arg[3])

local function run(script, ...)
  local command = table.concat({ host, "spec/system/threads/" .. script .. ".lua", threads, ... }, " ")
  print(command)
  local status = os.execute(command)
  return status == true or status == 0
end

local good = run "core"
local channels = server.start()
good = run("trigger", channels.host, channels.port, triggers) and good
good = run("publish", channels.host, channels.port, channels.master_key_base64, triggers) and good

local seen = channels:inspect().events
channels:stop()
print(("%d of %d events arrived"):format(seen, 2 * threads * triggers))
os.exit(good and seen == 2 * threads * triggers)
