-- What tools/mutate.lua changes in Lua code, and what it leaves alone.

local lua = require "tools.mutate.lua"
local operators = require "tools.mutate.operators"

describe("The mutator of Lua", function()
  -- The texts that one kind of change makes of a text, sorted.
  local function changed(kind, text)
    local texts = {}
    for _, mutant in ipairs(operators.mutants(text, lua)) do
      if mutant.kind == kind then
        texts[#texts + 1] = operators.apply(text, mutant)
      end
    end
    table.sort(texts)
    return texts
  end

  it("moves bounds and turns comparisons round", function()
    assert.same({ "return a, b <= c", "return a, b >= c" }, changed("comparison", "return a, b < c"))
    assert.same({ "local a = b == c" }, changed("comparison", "local a = b ~= c"))
  end)

  it("swaps operators, logic and truth", function()
    assert.same({ "local a = b + 1" }, changed("arithmetic", "local a = b - 1"))
    assert.same({ "local a = b and not c", "local a = b or  c" }, changed("logic", "local a = b or not c"))
    assert.same({ "f(false)" }, changed("boolean", "f(true)"))
  end)

  it("makes numbers one more and one less, and strings empty and different", function()
    assert.same({ "f(0x11)", "f(0xf)" }, changed("number", "f(0x10)"))
    assert.same({ "f(1)" }, changed("number", "f(0)"))
    assert.same({ "f(1.5)", "f(3.5)" }, changed("number", "f(2.5)"))
    assert.same({ 'f("")', 'f("xa")' }, changed("string", 'f("a")'))
    assert.same({ "f([[]])", "f([[xa]])" }, changed("string", "f([[a]])"))
    assert.same({ "f('x')" }, changed("string", "f('')"))
  end)

  it("leaves out calls, assignments and rows, as long as they are", function()
    assert.same({ "\nlocal a" }, changed("deletion", "f(function()\n  return 1\nend)\nlocal a"))
    assert.same({ "\nb = 2", "a =\n  1 +\n  3\n" }, changed("deletion", "a =\n  1 +\n  3\nb = 2"))
    assert.same({ "\nb = 2", "a = -- why\n  1\n" }, changed("deletion", "a = -- why\n  1\nb = 2"))
    assert.same({ "f { x = 1,\n   }" }, { changed("deletion", "f { x = 1,\n  y = 2 }")[2] })
    local rows = changed("deletion", "local t = {\n  x = 1,\n  y = 2,\n}")
    assert.same({ "local t = {\n  \n  y = 2,\n}", "local t = {\n  x = 1,\n  \n}" }, rows)
  end)

  it("returns nil, but for the module itself", function()
    assert.same({ "local function f() return nil end return f" },
      changed("return", "local function f() return 1, { 2 } end return f"))
    assert.same({}, changed("boolean", 'a = s:find("b", 1, true)'))
    assert.same({ 'a = s:find("-", 1, false)' }, changed("boolean", 'a = s:find("-", 1, true)'))
    assert.same({}, changed("return", "if a then return nil end"))
  end)

  it("decides conditions", function()
    assert.same({ "if false then end", "if true then end" }, changed("condition", "if a and f(b) then end"))
    assert.same({ "while false do end" }, changed("condition", "while a do end"))
  end)

  it("changes no comment and no name of a module", function()
    assert.same({}, operators.mutants('-- 1 < 2\n--[[ "x" ]] require("a.b")', { swaps = lua.swaps, lex = lua.lex,
      compiles = lua.compiles, structures = {} }))
    assert.same({}, changed("string", 'local a = require "b"'))
  end)

  it("makes no change that means the same", function()
    assert.same({ "a = s:sub(1, 3)", "a = s:sub(1, 5)", "a = s:sub(2, 4)" }, changed("number", "a = s:sub(1, 4)"))
    assert.same({ "a = sub(s, 2)" }, changed("number", "a = sub(s, 1)"))
    assert.same({ 'a = s:find("b", 2, true)' }, changed("number", 'a = s:find("b", 1, true)'))
    assert.same({}, changed("return", "if a then return false end"))
  end)

  it("reports lines, and only what compiles", function()
    local mutant = operators.mutants("\n\nlocal a = 1", lua)[1]
    assert.equal(3, mutant.line)
    assert.same({}, changed("deletion", "local a =\nb")) -- without b there is no expression
  end)
end)
