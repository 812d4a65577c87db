--- Writes the SVG files of texts: lua5.4 tools/draw_pictures.lua docs/pictures/*.txt; `make pictures` calls it.

package.path = "./?.lua;" .. package.path
local pictures = require "tools.pictures"
local text_file = require "tools.text_file"

for _, path in ipairs(arg) do
  for name, svg in pairs(pictures.files(path, text_file.read(path))) do
    text_file.write(name, svg)
    print(name)
  end
end
