--- The examples of docs/hosts.md, by name.
--
-- `<!-- run: host NAME -->` before a block names it. spec/readme_spec.lua sees that a check of this folder names each.

local readme = require "spec.helpers.readme"

local page = {}

local PAGE = "docs/hosts.md"

--- The text of an example.
-- @tparam string name
-- @tparam[opt="lua"] string language
function page.example(name, language)
  for _, block in ipairs(readme.blocks(PAGE, language)) do
    if readme.host(block) == name then
      return block.text .. "\n"
    end
  end
  error(PAGE .. " has no example named " .. name, 2)
end

return page
