-- Runs the scripts of this folder in many threads at once, by the host of spec/system/threads/host.c:
-- run.lua HOST THREADS TRIGGERS. `make threads` builds host and modules with ThreadSanitizer.

local progress = require "tools.progress"
local server = require "tools.local_server"

local host, threads, triggers = arg[1], tonumber(arg[2]), tonumber(arg[3])

local passed, failed = 0, 0
local steps = progress.new(4)

local function count(good)
  passed, failed = passed + (good and 1 or 0), failed + (good and 0 or 1)
end

local function run(script, threads_and_rounds, ...)
  local command = table.concat({ host, "spec/system/threads/" .. script .. ".lua", threads_and_rounds, ... }, " ")
  print(command)
  io.stdout:flush()
  steps:step(script)
  local status = os.execute(command)
  steps:clear()
  count(status == true or status == 0)
end

run("core", threads)
local channels = server.start()
run("trigger", threads, channels.host, channels.port, triggers)
run("async", threads .. "x3", channels.host, channels.port, channels.tls_port, channels.ca_file,
  math.ceil(triggers / 100))
run("publish", threads, channels.host, channels.port, channels.master_key_base64, triggers)

local seen = channels:inspect().events
channels:stop()
print(("%d of %d events arrived"):format(seen, 2 * threads * triggers))
count(seen == 2 * threads * triggers)
print(("\n%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
