--- The known answers of the push part: what the original programs did when they were run.

local cjson = require "cjson"

local file = assert(io.open("spec/vectors/push.json", "rb"))
local vectors = assert(cjson.decode(file:read("*a")))
file:close()

return vectors
