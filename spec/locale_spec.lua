-- The same bytes and values in every locale, set before the modules are loaded or after. `make test-modules` compiles the
-- locales: a comma as the decimal point, one of two bytes, and 8-bit letters where "I" and "i" are no pair.

local LOCALES = { "C", "de_DE.UTF-8", "fa_IR.UTF-8", "tr_TR.ISO-8859-9" }

local function run(before, after)
  -- glibc itself leaks the value of LOCPATH.
  local command = ("ASAN_OPTIONS=detect_leaks=0 LOCPATH=build/locales %s spec/helpers/locale_run.lua %s %s 2>&1"):format(
    os.getenv "PUSHER_LUA", before, after)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

describe("the locale", function()
  local expected = run("C", "C")

  it("is C in the run that the others are compared with", function()
    assert.truthy(expected:find('encode: %[1.5,2.5,{"a":0.25}'))
    assert.truthy(expected:find("bad HTTP: ", 1, true), expected)
  end)

  for _, before in ipairs(LOCALES) do
    for _, after in ipairs(LOCALES) do
      it(("changes nothing: %s, then %s"):format(before, after), function()
        assert.equal(expected, run(before, after))
      end)
    end
  end
end)
