--- busted output handler: one line per spec file, then what failed, then what was slow.
--
-- The last line is always `N passed, M failed`. Everything but a plain pass counts as failed: an error outside a test,
-- a file that does not load, a pending test, and a run without any test. The same line is written to the file named
-- by PUSHER_REPORT, so that scripts/specs can distinguish a finished run from an interpreter that died.

local SLOW = 0.25 -- seconds; faster tests are not listed
local SLOWEST = 8 -- lines

local progress = require("tools.progress")

return function()
  local busted = require("busted")
  local handler = require("busted.outputHandlers.base")()
  local failures, tests = {}, {}
  local files = {} -- stack of one: the file being run
  local steps -- the progress over all files

  local function name_of(element)
    local ok, name = pcall(handler.getFullName, element)
    return ok and name or tostring(element.name or element.descriptor)
  end

  local function record_failure(element, message, trace)
    local text = type(message) == "string" and message or require("pl.pretty").write(message)
    failures[#failures + 1] = {
      name = name_of(element),
      text = text,
      trace = type(trace) == "table" and trace.traceback or nil,
    }
    if files[1] then
      files[1].failed = files[1].failed + 1
    end
    return nil, true
  end

  local function suite_start(suite)
    steps = progress.new(#busted.children(suite))
    return nil, true
  end

  local function file_start(file)
    steps:step(file.name)
    files[1] = { name = file.name, passed = 0, failed = 0 }
    return nil, true
  end

  local function file_end(file)
    local done = files[1]
    if done.passed + done.failed == 0 then
      record_failure(file, "the file has no test")
    end
    steps:clear()
    local failed = done.failed > 0 and ("  %d FAILED"):format(done.failed) or ""
    io.write(("%-44s %5d passed  %7.2f s%s\n"):format(done.name, done.passed, file.duration or 0, failed))
    io.flush()
    files[1] = nil
    return nil, true
  end

  local function test_start(element)
    if files[1] then
      steps:say(files[1].name .. ": " .. name_of(element))
    end
    return nil, true
  end

  local function test_end(element, _, status)
    tests[#tests + 1] = { name = name_of(element), seconds = element.duration or 0 }
    if status == "success" then
      handler.successesCount = handler.successesCount + 1
      files[1].passed = files[1].passed + 1
    elseif status == "pending" then
      record_failure(element, "pending: a skipped test has not passed")
    end
    return nil, true
  end

  local function suite_error(element, _, message, trace)
    return record_failure(element, message, trace)
  end

  local function write_failures()
    for _, failure in ipairs(failures) do
      io.write("\nFAILED  ", failure.name, "\n", failure.text or "", "\n")
      if failure.trace then
        io.write((failure.trace:gsub("\n[^\n]*/busted/[^\n]*", "")), "\n")
      end
    end
  end

  local function write_slowest()
    table.sort(tests, function(a, b)
      return a.seconds > b.seconds
    end)
    for i = 1, math.min(SLOWEST, #tests) do
      if tests[i].seconds >= SLOW then
        io.write(i == 1 and "\nslowest tests\n" or "", ("%7.2f s  %s\n"):format(tests[i].seconds, tests[i].name))
      end
    end
  end

  local function suite_end(suite)
    if #tests == 0 and #failures == 0 then
      record_failure(suite, "no test was run")
    end
    write_failures()
    write_slowest()
    local total = ("%d passed, %d failed"):format(handler.successesCount, #failures)
    io.write("\n", total, "\n")
    io.flush()
    local path = os.getenv("PUSHER_REPORT")
    if path then
      local file = assert(io.open(path, "w"))
      file:write(total, "\n")
      file:close()
    end
    return nil, true
  end

  function handler.subscribe()
    busted.subscribe({ "suite", "start" }, suite_start)
    busted.subscribe({ "file", "start" }, file_start)
    busted.subscribe({ "file", "end" }, file_end)
    busted.subscribe({ "test", "start" }, test_start)
    busted.subscribe({ "test", "end" }, test_end)
    busted.subscribe({ "failure" }, suite_error)
    busted.subscribe({ "error" }, suite_error)
    busted.subscribe({ "suite", "end" }, suite_end)
  end

  return handler
end
