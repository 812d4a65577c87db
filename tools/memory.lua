--- Memory of a process (Linux).

local text_file = require "tools.text_file"

local memory = {}

--- Resident memory now, not the peak, in KiB.
-- @tparam[opt] number pid this process when absent
function memory.resident_kb(pid)
  local text = text_file.read(("/proc/%s/status"):format(pid or "self"))
  return assert(tonumber(text:match("VmRSS:%s*(%d+)")))
end

return memory
