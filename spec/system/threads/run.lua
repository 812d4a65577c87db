-- Runs the scripts of this folder in many threads at once, by the host of spec/system/threads/host.c:
-- run.lua BUILD PLAIN_BUILD THREADS TRIGGERS. `make threads` builds host and modules in BUILD with ThreadSanitizer.
--
-- The script that forks runs in PLAIN_BUILD as well, where a child that hangs fails. Under ThreadSanitizer it may: gcc 12's
-- does not take all of its own locks before a fork (DenseSlabAlloc in tsan_dense_alloc.h is left out), and one that another
-- thread held then stays locked in the child.

local progress = require "tools.progress"
local server = require "tools.local_server"

local build, plain_build, threads, triggers = arg[1], arg[2], tonumber(arg[3]), tonumber(arg[4])

local passed, failed = 0, 0
local steps = progress.new(5)

local function count(good)
  passed, failed = passed + (good and 1 or 0), failed + (good and 0 or 1)
end

local function run(folder, script, threads_and_rounds, ...)
  local command = table.concat({
    ("LUA_CPATH='./%s/?.so;;'"):format(folder), folder .. "/host", "spec/system/threads/" .. script .. ".lua",
    threads_and_rounds, ...
  }, " ")
  print(command)
  io.stdout:flush()
  steps:step(script)
  local status = os.execute(command)
  steps:clear()
  count(status == true or status == 0)
end

run(build, "core", threads)
local channels = server.start()
run(build, "trigger", threads, channels.host, channels.port, triggers)
for _, folder in ipairs { plain_build, build } do
  run(folder, "async", threads .. "x3", channels.host, channels.port, channels.tls_port, channels.ca_file,
    math.ceil(triggers / 100), folder == build and "child_may_hang" or "")
end
run(build, "publish", threads, channels.host, channels.port, channels.master_key_base64, triggers)

local seen = channels:inspect().events
channels:stop()
print(("%d of %d events arrived"):format(seen, 2 * threads * triggers))
count(seen == 2 * threads * triggers)
print(("\n%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)
