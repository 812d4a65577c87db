--- The known answers of the push part: what the original programs did when they were run.

local cjson = require "cjson"
local text_file = require "tools.text_file"

return cjson.decode(text_file.read "spec/vectors/push.json")
