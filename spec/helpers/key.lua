--- Reads one of the keys in spec/helpers/keys, which protect nothing.

local text_file = require "tools.text_file"

-- @tparam string name of the file, without ".pem"
-- @treturn string
return function(name)
  return text_file.read("spec/helpers/keys/" .. name .. ".pem")
end
