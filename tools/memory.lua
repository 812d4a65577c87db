--- Memory of a process (Linux).

local memory = {}

--- Resident memory now, not the peak, in KiB.
-- @tparam[opt] number pid this process when absent
function memory.resident_kb(pid)
  local file = assert(io.open(("/proc/%s/status"):format(pid or "self")))
  local text = file:read("*a")
  file:close()
  return assert(tonumber(text:match("VmRSS:%s*(%d+)")))
end

return memory
