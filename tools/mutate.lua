--- Changes the library in small wrong ways, one at a time, and reports the changes that no spec notices.
--
--   lua5.4 tools/mutate.lua [mutants=N] [seed=S] [workers=N] [limit=PERCENT] [again=FILE] FILE-OR-FOLDER…
--
-- `make mutate` calls it. Which mutants a seed selects depends on the lines they change, so an edit elsewhere does not
-- change the selection. `again` runs the mutants whose lines are in an earlier report. A mutant is killed by a spec that
-- fails or does not end in time. Exits with 1 when more than `limit` percent survive.

package.path = "./?.lua;" .. package.path
local operators = require "tools.mutate.operators"
local progress = require "tools.progress"
local shell = require "tools.shell"
local specs = require "tools.mutate.specs"
local text_file = require "tools.text_file"

-- CPU time of a process and memory that the specs may use, for endless loops, and time, for what waits for ever.
local NEAR = { cpu = 15, memory_kb = 4000000, seconds = 180 }
local OTHERS = { cpu = 60, memory_kb = 4000000, seconds = 600 }

local function succeeds(command)
  local status = os.execute(command)
  return status == true or status == 0
end

-- A number that looks random, the same on every Lua.
local function hash(text)
  local value = 5381
  for i = 1, #text do
    value = (value * 33 + text:byte(i)) % 4294967291
  end
  return (value * 69069 + 12345) % 4294967291
end

local function one_line(text)
  return (text:gsub("%s*\n%s*", " "))
end

-- What a report says about a mutant; the same after edits elsewhere, but for the line's number.
local function describe(path, text, mutant)
  local start = mutant.from
  while start > 1 and text:sub(start - 1, start - 1) ~= "\n" do
    start = start - 1
  end
  local first = text:sub(start, mutant.from - 1)
  local last = text:sub(mutant.to + 1):match("^[^\n]*")
  local old = one_line(text:sub(mutant.from, mutant.to))
  mutant.path = path
  mutant.change = ("%s: %s -> %s  in  %s"):format(
    mutant.kind, old, mutant.new == "" and "nothing" or mutant.new, one_line(first .. old .. last):match("^%s*(.*)"))
  mutant.order = #first
  return mutant
end

local function language_of(path)
  return require("tools.mutate." .. path:match("%w+$"))
end

local function all_mutants(paths)
  local mutants = {}
  for _, path in ipairs(paths) do
    local text = text_file.read(path)
    for _, mutant in ipairs(operators.mutants(text, language_of(path))) do
      mutants[#mutants + 1] = describe(path, text, mutant)
    end
  end
  return mutants
end

local function select_mutants(mutants, options)
  local chosen = {}
  local earlier = options.again and text_file.read(options.again)
  for _, mutant in ipairs(mutants) do
    if not earlier or earlier:find(mutant.path .. ":%d+: " .. mutant.change:gsub("%p", "%%%0") .. "\n") then
      mutant.order = hash(options.seed .. mutant.path .. mutant.change .. mutant.order)
      chosen[#chosen + 1] = mutant
    end
  end
  table.sort(chosen, function(a, b)
    return a.order < b.order
  end)
  while #chosen > options.mutants do
    table.remove(chosen)
  end
  return chosen
end

-- Whether these specs pass under a Lua in a copy of the tree. timeout ends the process group, and with it what the specs started.
local function passes(tree, lua, list, limits)
  return #list == 0 or succeeds(([[
    cd %s && ulimit -t %d && ulimit -v %d && PUSHER_TIME_SCALE=2 timeout -k 5 %d \
      scripts/specs %s --no-keep-going %s >specs.log 2>&1]]):format(
    tree, limits.cpu, limits.memory_kb, limits.seconds, lua, table.concat(list, " ")))
end

local function survives(tree, mutant, graph)
  local near, others = specs.order(mutant.path, graph.users, graph.specs)
  return passes(tree, "5.4", near, NEAR) and passes(tree, "jit", near, NEAR) and passes(tree, "5.4", others, OTHERS)
end

-- What becomes of a mutant: "killed", "survived", or "broken" when it does not build.
local function result_of(tree, mutant, graph)
  local path, language = tree .. "/" .. mutant.path, language_of(mutant.path)
  local text, result = text_file.read(path), "broken"
  text_file.write(path, operators.apply(text, mutant))
  if not language.BUILD then
    result = survives(tree, mutant, graph) and "survived" or "killed"
  elseif succeeds(("cd %s && %s >specs.log 2>&1"):format(tree, language.BUILD)) then
    result = passes(tree, "5.4", language.specs(mutant.path), OTHERS) and "survived" or "killed"
  end
  text_file.write(path, text)
  return result
end

local function copy_tree()
  local tree = shell.output_of("mktemp -d")
  assert(succeeds("git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t " .. tree))
  assert(succeeds("cp -r build " .. tree))
  return tree
end

-- Runs every `options.workers`-th mutant and prints a line for each.
local function work(mutants, options)
  local all = specs.files("spec tools", "_spec.lua")
  local graph = { specs = all, users = specs.graph(specs.files("lua spec tools", ".lua")) }
  local tree = copy_tree()
  local near, others = specs.order("lua/pusher/base/errors.lua", graph.users, all)
  local passed = passes(tree, "5.4", near, OTHERS) and passes(tree, "jit", near, OTHERS)
    and passes(tree, "5.4", others, OTHERS)
  assert(passed, "the specs fail before anything is changed; see " .. tree .. "/specs.log")
  for i = options.part, #mutants, options.workers do
    print(("%d %s"):format(i, result_of(tree, mutants[i], graph)))
    io.flush()
  end
  os.execute("rm -rf " .. tree)
end

local function folder(path)
  return path:match("^(.*)/")
end

local function report(mutants)
  local rows, names = {}, {}
  for _, mutant in ipairs(mutants) do
    for _, name in ipairs { folder(mutant.path), "all" } do
      if not rows[name] then
        rows[name] = { killed = 0, survived = 0, broken = 0 }
        names[#names + 1] = name
      end
      rows[name][mutant.result] = rows[name][mutant.result] + 1
    end
  end
  table.sort(names)
  print(("\n%-28s %8s %8s %8s"):format("", "mutants", "killed", "survived"))
  for _, name in ipairs(names) do
    local row = rows[name]
    print(("%-28s %8d %8d %8d"):format(name, row.killed + row.survived, row.killed, row.survived))
  end
  local count = rows.all and rows.all.killed + rows.all.survived or 0
  return count, count > 0 and 100 * rows.all.survived / count or 0
end

local function lead(mutants, options, arguments)
  local workers = {}
  for part = 1, options.workers do
    workers[part] = assert(io.popen(("lua5.4 tools/mutate.lua part=%d %s"):format(part, arguments)))
  end
  local steps = progress.new(#mutants)
  for _, worker in ipairs(workers) do
    for line in worker:lines() do
      local mutant = mutants[tonumber(line:match("^%d+"))]
      steps:step(mutant.path)
      mutant.result = line:match("%a+")
      if mutant.result == "survived" then
        steps:clear()
        print(("%s:%d: %s"):format(mutant.path, mutant.line, mutant.change))
        io.flush()
      end
    end
    worker:close()
  end
  steps:clear()
  local tried = {}
  for _, mutant in ipairs(mutants) do
    tried[#tried + 1] = mutant.result and mutant or nil
  end
  local count, percent = report(tried)
  print(("\n%d mutants, %.1f %% survived (limit %g %%)"):format(count, percent, options.limit))
  if #tried < #mutants then
    print(("a worker ended early: %d mutants were not tried"):format(#mutants - #tried))
  end
  os.exit(#tried == #mutants and percent <= options.limit and 0 or 1)
end

local function main(arguments)
  local options, folders = { mutants = 100, seed = "1", workers = 1, limit = 5 }, {}
  for _, argument in ipairs(arguments) do
    local name, value = argument:match("^(%l+)=(.*)$")
    if name then
      options[name] = value ~= "" and (name ~= "seed" and tonumber(value) or value) or options[name]
    else
      folders[#folders + 1] = argument
    end
  end
  local paths = specs.files(table.concat(folders, " "), ".lua")
  for _, path in ipairs(specs.files(table.concat(folders, " "), ".c")) do
    paths[#paths + 1] = path
  end
  local mutants = select_mutants(all_mutants(paths), options)
  assert(#mutants > 0, "no mutants in " .. table.concat(folders, " "))
  if options.part then
    work(mutants, options)
  else
    lead(mutants, options, table.concat(arguments, " "))
  end
end

main { ... }
