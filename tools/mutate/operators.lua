--- Small wrong changes of a source text. What they are is data of a language, see tools/mutate/lua.lua:
--   lex(text) -> { { kind =, text =, from =, to =, line = }, … }   without comments
--                kinds: "name", "keyword", "number", "string", "operator"; a token may be `skipped`; `same` is another text
--                that means the same there
--   swaps      { [token's text] = { kind, replacement, … } }
--   structures { function(tokens, i, add), … }   what starts at token i: add(kind, first token, last token, new text)
--   compiles(text) -> boolean
-- A language that must be built has BUILD, a shell command, and specs(path) -> the specs to run.

local unpack = table.unpack or unpack

local operators = {}

-- n + 1 and n - 1, in the notation of the number where that is possible.
local function neighbours(text)
  local value = tonumber(text)
  if not value then
    return {}
  end
  local notation = text:find("^0[xX]") and value % 1 == 0 and "0x%x" or "%.14g"
  return { notation:format(value + 1), value > 0 and notation:format(math.abs(value - 1)) or nil }
end

-- Without its content, and with another.
local function other_strings(text)
  local opens, content, closes = text:match("^(%[=*%[)(.*)(%]=*%])$")
  if not opens then
    opens, content, closes = text:sub(1, 1), text:sub(2, -2), text:sub(-1)
  end
  return { opens .. "x" .. content .. closes, content ~= "" and opens .. closes or nil }
end

local function add_token(token, language, add)
  local swap = language.swaps[token.text]
  if token.kind == "number" then
    swap = { "number", unpack(neighbours(token.text)) }
  elseif token.kind == "string" then
    swap = { "string", unpack(other_strings(token.text)) }
  end
  for i = 2, swap and #swap or 0 do
    if swap[i] ~= token.same then
      add(swap[1], token, token, swap[i])
    end
  end
end

--- All mutants of a text that compile.
-- @treturn table list of { kind =, line =, from =, to =, new = }: text from..to is replaced by `new`
function operators.mutants(text, language)
  local tokens, mutants = language.lex(text), {}
  local function add(kind, first, last, new)
    local mutant = { kind = kind, line = first.line, from = first.from, to = last.to, new = new }
    if language.compiles(operators.apply(text, mutant)) then
      mutants[#mutants + 1] = mutant
    end
  end
  for i, token in ipairs(tokens) do
    if not token.skipped then
      add_token(token, language, add)
      for _, structure in ipairs(language.structures) do
        structure(tokens, i, add)
      end
    end
  end
  return mutants
end

function operators.apply(text, mutant)
  return text:sub(1, mutant.from - 1) .. mutant.new .. text:sub(mutant.to + 1)
end

return operators
