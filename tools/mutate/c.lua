--- C as a language of tools/mutate/operators.lua, and how to build and test a changed C file.
--
-- It relies on clang-format: a binary operator stands between spaces, and a statement begins its line. What does not
-- compile all the same shows when it is built.

local c = {}

c.swaps = {
  ["<"] = { "comparison", "<=", ">=" },
  ["<="] = { "comparison", "<", ">" },
  [">"] = { "comparison", ">=", "<=" },
  [">="] = { "comparison", ">", "<" },
  ["=="] = { "comparison", "!=" },
  ["!="] = { "comparison", "==" },
  ["+"] = { "arithmetic", "-" },
  ["-"] = { "arithmetic", "+" },
  ["*"] = { "arithmetic", "/" },
  ["/"] = { "arithmetic", "*" },
  ["+="] = { "arithmetic", "-=", "=" },
  ["-="] = { "arithmetic", "+=", "=" },
  ["*="] = { "arithmetic", "=" },
  ["|="] = { "arithmetic", "=" },
  ["++"] = { "arithmetic", "--" },
  ["--"] = { "arithmetic", "++" },
  ["&"] = { "bits", "|" },
  ["|"] = { "bits", "&" },
  ["^"] = { "bits", "|" },
  ["<<"] = { "bits", ">>" },
  [">>"] = { "bits", "<<" },
  ["&&"] = { "logic", "||" },
  ["||"] = { "logic", "&&" },
  ["!"] = { "logic", "" },
  ["true"] = { "boolean", "false" },
  ["false"] = { "boolean", "true" },
}

-- Longer ones first.
local OPERATORS = { "<<=", ">>=", "->", "++", "--", "&&", "||", "==", "!=", "<=", ">=", "+=", "-=", "*=", "|=", "&=", "<<",
  ">>" }
-- Also unary, or part of a type: these count as operators between spaces only.
local MAY_BE_UNARY = { ["*"] = true, ["&"] = true, ["-"] = true, ["+"] = true }

local function quoted(text, at)
  local quote, to = text:match("^([\"'])()", at)
  while quote and text:sub(to, to) ~= quote do
    to = to + (text:sub(to, to) == "\\" and 2 or 1)
  end
  return quote, to
end

-- The end of a line of the preprocessor, the lines that continue it included.
local function end_of_directive(text, at)
  local to = (text:find("\n", at, true) or #text + 1) - 1
  while text:sub(to, to) == "\\" do
    to = (text:find("\n", to + 2, true) or #text + 1) - 1
  end
  return to
end

local function operator(text, at)
  for _, longer in ipairs(OPERATORS) do
    if text:sub(at, at + #longer - 1) == longer then
      return at + #longer - 1
    end
  end
  return at
end

-- The kind of the token at a place that is no space, and its end.
local function token(text, at, starts_line)
  if text:find("^/%*", at) then
    return "comment", select(2, text:find("*/", at + 2, true)) or #text
  elseif starts_line and text:find("^#", at) then
    return "comment", end_of_directive(text, at)
  end
  local quote, to = quoted(text, at)
  if quote then
    return quote == '"' and "string" or "character", to
  end
  to = text:match("^%d[%w.]*()", at)
  if to then
    return "number", to - 1
  end
  to = text:match("^[%a_][%w_]*()", at)
  if to then
    return "name", to - 1
  end
  return "operator", operator(text, at)
end

function c.lex(text)
  local tokens, line, counted = {}, 1, 1
  local at = text:find("%S")
  while at do
    local between = text:sub(counted, at - 1)
    local starts_line = counted == 1 or between:find("\n", 1, true) ~= nil
    line = line + select(2, between:gsub("\n", ""))
    local kind, to = token(text, at, starts_line)
    local found = { kind = kind, text = text:sub(at, to), from = at, to = to, line = line, starts_line = starts_line }
    if MAY_BE_UNARY[found.text] and not text:find("^ . ", at - 1) then
      found.text = "unary " .. found.text
    end
    if kind ~= "comment" then
      tokens[#tokens + 1] = found
    end
    line = line + select(2, text:sub(at, to):gsub("\n", ""))
    counted, at = to + 1, text:find("%S", to + 1)
  end
  return tokens
end

function c.compiles()
  return true
end

local OPENS, CLOSES = { ["("] = true, ["{"] = true, ["["] = true }, { [")"] = true, ["}"] = true, ["]"] = true }

-- The first token after `i`, outside of what opens from there on, whose text it is; nil if there is none.
local function find(tokens, i, text)
  local depth = 0
  for j = i, #tokens do
    local got = tokens[j].text
    if depth == 0 and got == text then
      return j
    end
    depth = depth + (OPENS[got] and 1 or CLOSES[got] and -1 or 0)
    if depth < 0 then
      return nil
    elseif depth == 0 and got == text then -- a bracket that closes
      return j
    end
  end
end

local NO_STATEMENT = {}
for word in ("if else for while do switch case default typedef struct enum union static extern const goto"):gmatch("%S+") do
  NO_STATEMENT[word] = true
end

-- Whether `int x = …;` begins there: a type and a name.
local function declares(tokens, i)
  local second, third = tokens[i + 1], tokens[i + 2]
  return tokens[i].kind == "name"
    and (second.kind == "name" or (second.text == "unary *" and third and third.kind == "name"))
end

-- A statement that has lines of its own: a call, an assignment, a return without a value, a break, a continue.
local function deleted(tokens, i, add)
  local first, before = tokens[i], tokens[i - 1]
  if not before or not first.starts_line or not (first.kind == "name" or first.text == "unary *" or first.text == "(")
    or not (before.text == ";" or before.text == "{" or before.text == "}" or before.text == ")" or before.text == "else")
    or NO_STATEMENT[first.text] or not tokens[i + 1] or (first.text ~= "return" and declares(tokens, i))
    or (first.text == "return" and tokens[i + 1].text ~= ";")
  then
    return
  end
  local last = find(tokens, i, ";")
  if last and not (first.text == "(" and tokens[i + 1].text == "void" and last == i + 4) then -- (void)unused;
    add("deletion", first, tokens[last], ";")
  end
end

local CONDITIONS = { ["if"] = { "(1)", "(0)" }, ["while"] = { "(0)" } } -- with while (1) it only hangs

local function constant(tokens, i, add)
  local values = CONDITIONS[tokens[i].text]
  local last = values and tokens[i + 1] and tokens[i + 1].text == "(" and find(tokens, i + 1, ")")
  for _, value in ipairs(last and values or {}) do
    add("condition", tokens[i + 1], tokens[last], value)
  end
end

c.structures = { deleted, constant }

--- Builds both modules in a tree; fails for what does not compile.
c.BUILD = "make -s build LUA=5.4 CFLAGS='-O1 -w'"

-- The specs of pusher.core, and those of pusher.curl, the fast ones first.
local CORE = { "spec/core", "spec/channels/auth_spec.lua", "spec/channels/encryption_spec.lua",
  "spec/channels/webhook_spec.lua", "spec/client_spec.lua", "spec/core_spec.lua" }
local CURL = { "spec/curl_spec.lua", "spec/curl", "spec/client", "spec/transport/curl_spec.lua", "spec/transport/async",
  "spec/transport/async_spec.lua", "spec/transport/wire_spec.lua" }

--- The specs for a C file, in the order in which to run them.
-- @tparam string path below src/
-- @treturn table list of paths
function c.specs(path)
  local list = {}
  for _, part in ipairs { not path:find("^src/curl/") and CORE or {}, not path:find("^src/core/") and CURL or {} } do
    for _, spec in ipairs(part) do
      list[#list + 1] = spec
    end
  end
  return list
end

return c
