-- Measures the globalstep of the mod named by the setting step_timing_of. "/timing" prints the times and resets them.

local watched = minetest.settings:get("step_timing_of")
local times = {}

minetest.register_on_mods_loaded(function()
  for index, callback in ipairs(minetest.registered_globalsteps) do
    if minetest.callback_origins[callback].mod == watched then
      minetest.registered_globalsteps[index] = function(dtime)
        local before = minetest.get_us_time()
        callback(dtime)
        times[#times + 1] = minetest.get_us_time() - before
      end
    end
  end
end)

minetest.register_chatcommand("timing", {
  func = function()
    table.sort(times)
    local text = ("steps=%d median=%d longest=%d"):format(#times, times[math.ceil(#times / 2)] or -1, times[#times] or -1)
    times = {}
    return true, text
  end,
})
