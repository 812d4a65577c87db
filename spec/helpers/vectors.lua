--- The known answers of spec/vectors/*.json, by kind.

local cjson = require "cjson"
local text_file = require "tools.text_file"

local vectors = {}

local function load(name)
  return cjson.decode(text_file.read("spec/vectors/" .. name .. ".json"))
end

--- All vectors of one kind; raises when there is none, so that no loop over them passes by being empty.
-- @tparam string kind
-- @treturn table list of `{ source =, inputs =, expected =, note = }`
function vectors.of(kind)
  local found = {}
  for _, vector in ipairs(load("channels")) do
    if vector.kind == kind then
      found[#found + 1] = vector
    end
  end
  assert(#found > 0, "no vector of kind " .. kind)
  return found
end

return vectors
