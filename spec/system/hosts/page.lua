--- The examples of docs/hosts.md and docs/metrics.md, by name.
--
-- `<!-- run: host NAME -->` before a block names it. spec/readme_spec.lua sees that a check of this folder names each.

local readme = require "spec.helpers.readme"

local page = {}

local PAGES = { "docs/hosts.md", "docs/metrics.md" }

--- The text of an example.
-- @tparam string name
-- @tparam[opt="lua"] string language
function page.example(name, language)
  for _, path in ipairs(PAGES) do
    for _, block in ipairs(readme.blocks(path, language)) do
      if readme.host(block) == name then
        return block.text .. "\n"
      end
    end
  end
  error("no page has an example named " .. name, 2)
end

return page
