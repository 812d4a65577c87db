--- Has the tests of a block run without LuaJIT's compiler, for a hook does not run in compiled code: a function that
-- takes busted's `setup` and `teardown`.

local jit = rawget(_G, "jit")

return function(setup, teardown)
  setup(function()
    if jit then
      jit.off()
    end
  end)
  teardown(function()
    if jit then
      jit.on()
    end
  end)
end
