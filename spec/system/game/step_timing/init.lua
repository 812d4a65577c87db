-- Measures the globalstep of the mod named by the setting step_timing_of. "/timing" prints the times and resets them.

local insecure = assert(minetest.request_insecure_environment(), "list step_timing in secure.trusted_mods")
local meter = dofile(minetest.get_modpath("step_timing") .. "/meter.lua")(insecure.io.open, minetest.get_us_time)
local watched = minetest.settings:get("step_timing_of")
local steps, longest = 0, 0

minetest.register_on_mods_loaded(function()
  for index, callback in ipairs(minetest.registered_globalsteps) do
    if minetest.callback_origins[callback].mod == watched then
      minetest.registered_globalsteps[index] = function(dtime)
        meter.start()
        callback(dtime)
        steps, longest = steps + 1, math.max(longest, meter.stop())
      end
    end
  end
end)

minetest.register_chatcommand("timing", {
  func = function()
    local text = ("steps=%d longest=%d"):format(steps, longest)
    steps, longest = 0, 0
    return true, text
  end,
})
