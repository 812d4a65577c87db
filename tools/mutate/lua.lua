--- Lua as a language of tools/mutate/operators.lua.

local lua = {}

lua.swaps = {
  ["<"] = { "comparison", "<=", ">=" },
  ["<="] = { "comparison", "<", ">" },
  [">"] = { "comparison", ">=", "<=" },
  [">="] = { "comparison", ">", "<" },
  ["=="] = { "comparison", "~=" },
  ["~="] = { "comparison", "==" },
  ["+"] = { "arithmetic", "-" },
  ["-"] = { "arithmetic", "+" },
  ["*"] = { "arithmetic", "/" },
  ["/"] = { "arithmetic", "*" },
  ["%"] = { "arithmetic", "*" },
  ["and"] = { "logic", "or" },
  ["or"] = { "logic", "and" },
  ["not"] = { "logic", "" },
  ["true"] = { "boolean", "false" },
  ["false"] = { "boolean", "true" },
}

local function set(words)
  local found = {}
  for word in words:gmatch("%S+") do
    found[word] = true
  end
  return found
end

local KEYWORDS = set [[and break do else elseif end false for function goto if in local nil not or repeat return then
  true until while]]
local OPENS = set "( { [ function if do repeat"
local CLOSES = set ") } ] end until"
local ENDS_RETURN = set "end else elseif until"
-- After or before one of these a statement goes on in the next line.
local JOINS = set "+ - * / % ^ .. and or not == ~= < <= > >= = . : , ("

local function long_bracket(text, at)
  local level, body = text:match("^%[(=*)%[()", at)
  return level and (select(2, text:find("]" .. level .. "]", body, true)) or #text)
end

local function quoted(text, at)
  local quote, to = text:match("^([\"'])()", at)
  while quote and text:sub(to, to) ~= quote do
    to = to + (text:sub(to, to) == "\\" and 2 or 1)
  end
  return quote and to
end

-- The kind of the token at a place that is no space, and its end.
local function token(text, at)
  local comment = text:match("^%-%-()", at)
  if comment then
    return "comment", long_bracket(text, comment) or (text:find("\n", comment, true) or #text + 1) - 1
  end
  local to = long_bracket(text, at) or quoted(text, at)
  if to then
    return "string", to
  end
  to = text:match("^%.?%d[%w.]*()", at)
  if to then
    return "number", to - 1
  end
  local word = text:match("^[%a_][%w_]*", at)
  if word then
    return KEYWORDS[word] and "keyword" or "name", at + #word - 1
  end
  local operator = text:match("^%.%.%.", at) or text:match("^%.%.", at) or text:match("^[=~<>]=", at)
  return "operator", at + #(operator or "x") - 1
end

-- 0 and 1 are the same as a position in a string, and so are plain text and a pattern without magic characters.
local function mark_same(tokens)
  for i, found in ipairs(tokens) do
    local function is(offset, text)
      return (tokens[i + offset] or {}).text == text
    end
    local in_sub = (is(-2, "sub") and is(-1, "(")) or (is(-4, "sub") and is(-3, "(") and is(-1, ","))
    if found.text == "1" and (in_sub or (is(1, ",") and is(2, "true"))) then
      found.same = "0"
    elseif found.text == "true" and is(-1, ",") and is(-2, "1") and is(-3, ",") and tokens[i - 4].kind == "string"
      and not tokens[i - 4].text:find("[%^$()%%.%[%]*+?%-]") and tokens[i - 4].text ~= '"\\0"'
    then
      found.same = "false"
    end
  end
  return tokens
end

function lua.lex(text)
  local tokens, line, counted = {}, 1, 1
  local at = text:match("^#[^\n]*()") or 1
  at = text:find("%S", at)
  while at do
    local kind, to = token(text, at)
    line, counted = line + select(2, text:sub(counted, at - 1):gsub("\n", "")), at
    if kind ~= "comment" then
      local before = tokens[#tokens]
      tokens[#tokens + 1] = {
        kind = kind, text = text:sub(at, to), from = at, to = to, line = line,
        starts_line = not before or before.line < line,
        -- The name of a module: the loader looks at that.
        skipped = kind == "string" and (before.text == "require" or (tokens[#tokens - 1] or {}).text == "require"),
      }
    end
    at = text:find("%S", to + 1)
  end
  return mark_same(tokens)
end

function lua.compiles(text)
  return (loadstring or load)(text) ~= nil
end

-- The first token after `i`, outside of what opens from there on, for which ends(token, j) holds; #tokens + 1 if none.
local function find(tokens, i, ends)
  local depth = 0
  for j = i, #tokens do
    local text = tokens[j].text
    if depth == 0 and j > i and ends(tokens[j], j) then
      return j
    end
    depth = depth + (OPENS[text] and 1 or CLOSES[text] and -1 or 0)
    if depth < 0 then
      return j
    end
  end
  return #tokens + 1
end

-- A call, an assignment or a row of a table that has lines of its own.
local function deleted(tokens, i, add)
  local first = tokens[i]
  if first.starts_line and (first.kind == "name" or first.text == "{" or first.text == "[") then
    local next_one = find(tokens, i, function(found, j)
      return found.starts_line and not JOINS[found.text] and (tokens[j - 1].text == "," or not JOINS[tokens[j - 1].text])
    end)
    add("deletion", first, tokens[next_one - 1], "")
  end
end

local SAME_AS_NIL = set "nil false" -- where only truth counts, as nearly everywhere

local function returns_nil(tokens, i, add)
  if tokens[i].text == "return" then
    local last = find(tokens, i + 1, function(found)
      return ENDS_RETURN[found.text]
    end) - 1
    if last > i and last < #tokens and not (last == i + 1 and SAME_AS_NIL[tokens[last].text]) then
      add("return", tokens[i + 1], tokens[last], "nil")
    end
  end
end

local CONDITIONS = {
  ["if"] = { ends = "then", "true", "false" },
  ["elseif"] = { ends = "then", "true", "false" },
  ["while"] = { ends = "do", "false" }, -- with true it only hangs
}

local function constant(tokens, i, add)
  local condition = CONDITIONS[tokens[i].text]
  if condition then
    local last = find(tokens, i + 1, function(found)
      return found.text == condition.ends
    end) - 1
    for _, value in ipairs(condition) do
      add("condition", tokens[i + 1], tokens[last], value)
    end
  end
end

lua.structures = { deleted, returns_nil, constant }

return lua
