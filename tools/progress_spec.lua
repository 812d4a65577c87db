local progress = require "tools.progress"
local terminal = require "tools.terminal"
local text_file = require "tools.text_file"

describe("progress", function()
  local written, seconds

  local function new(total, columns)
    written, seconds = {}, 1000
    return progress.new(total, {
      columns = columns,
      now = function() return seconds end,
      write = function(text) written[#written + 1] = text end,
    })
  end

  it("says which step of how many begins, and how long all took until then", function()
    local steps = new(12, 80)
    steps:step("a")
    seconds = seconds + 65
    steps:step("b")
    seconds = seconds + 3600
    steps:say("b, part 2")
    steps:at(9, "c")
    assert.same({ "\r\27[K1 of 12, 0:00  a", "\r\27[K2 of 12, 1:05  b", "\r\27[K2 of 12, 61:05  b, part 2",
      "\r\27[K9 of 12, 61:05  c" }, written)
  end)

  it("removes its line", function()
    new(1, 80):clear()
    assert.same({ "\r\27[K" }, written)
  end)

  it("writes nothing where there is no terminal", function()
    local steps = new(2, false)
    steps:step("a")
    steps:say("b")
    steps:clear()
    assert.same({}, written)
  end)

  it("has lines that do not wrap, and cuts no letter in two", function()
    new(1, 80):step(("x"):rep(100))
    assert.equal(79 + #"\r\27[K", #written[1])
    new(1, 40):step(("x"):rep(100))
    assert.equal(39 + #"\r\27[K", #written[1])
    new(1, 80):step(("x"):rep(79 - #"1 of 1, 0:00  " - 1) .. "é and more")
    assert.equal("x", written[1]:sub(-1))
  end)
end)

-- What a command writes to standard error, which is a terminal or a file; its standard output is read.
describe("on a terminal and in a file", function()
  local folder

  before_each(function()
    folder = terminal.output_of("mktemp -d"):match("%S+")
  end)

  after_each(function()
    os.execute("rm -rf " .. folder)
  end)

  local function on_terminal(command, setting)
    text_file.write(folder .. "/command", command .. "\n")
    return terminal.output_of((
      "TERM=xterm %s script -qec 'sh %s/command >%s/stdout' /dev/null </dev/null"):format(setting or "", folder, folder))
  end

  local function in_file(command)
    text_file.write(folder .. "/command", command .. "\n")
    terminal.output_of(("sh %s/command 2>%s/stderr >%s/stdout </dev/null"):format(folder, folder, folder))
    return text_file.read(folder .. "/stderr")
  end

  local LUA = [["$PUSHER_LUA" -e 'local p = require("tools.progress").new(2) p:step("x") p:step("y") p:clear()']]
  local SHELL = "set -eu; . scripts/progress.sh; progress 1 2 x; progress 2 2 y"

  it("the Lua module and the script say the same", function()
    assert.equal("\r\27[K1 of 2, 0:00  x\r\27[K2 of 2, 0:00  y\r\27[K", on_terminal(LUA))
    assert.equal("1 of 2, 0:00  x\r\n2 of 2, 0:00  y\r\n", on_terminal(SHELL))
    assert.equal("", in_file(LUA))
    assert.equal("", in_file(SHELL))
  end)

  it("a terminal has its own width, and a dumb one gets no line to replace", function()
    assert.equal("\r\27[K1 of 2, 0:00\r\27[K2 of 2, 0:00\r\27[K", on_terminal("stty columns 13 <&2; " .. LUA))
    assert.equal("", on_terminal(LUA, "TERM=dumb"))
    assert.equal("", on_terminal("unset TERM; " .. LUA))
  end)

  it("specs say which file and test of how many files runs", function()
    text_file.write(folder .. "/a_spec.lua", "describe('a', function() it('works', function() end) end)\n")
    text_file.write(folder .. "/b_spec.lua", "it('works, too', function() end)\n")
    local command = ("BUILD=$PUSHER_BUILD LUA_BIN=$PUSHER_LUA scripts/specs 5.4 %s"):format(folder)
    local shown = on_terminal(command):gsub(", %d+:%d%d", "")
    assert.is_truthy(shown:find(("\r\27[K1 of 2  %s/a_spec.lua"):format(folder), 1, true), shown)
    assert.is_truthy(shown:find(("\r\27[K1 of 2  %s/a_spec.lua: a works"):format(folder), 1, true), shown)
    assert.is_truthy(shown:find(("\r\27[K2 of 2  %s/b_spec.lua: works, too"):format(folder), 1, true), shown)
    assert.matches("\27%[K$", shown)
    assert.equal("", in_file(command))
    assert.matches("2 passed, 0 failed\n$", text_file.read(folder .. "/stdout"))
  end)

  it("make targets one after another say which one begins", function()
    text_file.write(folder .. "/make", "echo $2; echo $2 >&2\n")
    local command = ("MAKE='%s/make' scripts/each lint-a lint-b"):format(folder)
    os.execute("chmod 755 " .. folder .. "/make")
    assert.equal("1 of 2, 0:00  lint-a\r\nlint-a\r\n2 of 2, 0:00  lint-b\r\nlint-b\r\n", on_terminal(command))
    assert.equal("lint-a\nlint-b\n", in_file(command))
  end)
end)
