--- `make rockspec VERSION=x.y.z`: writes the rockspec of a release.
--
-- lua5.4 tools/rockspec.lua VERSION REPOSITORY FILE, from the root of the checkout. The release is pusher-dev-1.rockspec
-- with another version and the source at the tag vVERSION; REPOSITORY, an https address, replaces the one there unless
-- it is "". Prints what keeps the release from being one, and then writes nothing.

local headers = require "pusher.base.headers"
local text_file = require "tools.text_file"

local DEVELOPMENT = "pusher-dev-1.rockspec"
local version, repository, path = arg[1], arg[2], arg[3]

local function fail(...)
  io.stderr:write("rockspec: ", table.concat { ... }, "\n")
  os.exit(1)
end

local function load_rockspec(text)
  local spec = {}
  local chunk = assert(load(text, "=" .. DEVELOPMENT, "t", spec))
  chunk()
  return spec
end

-- Replaces a text that must be there once.
local function replace(text, old, new)
  local replaced, count = text_file.replace(text, old, new)
  if count ~= 1 then
    fail(DEVELOPMENT, " must have once: ", old)
  end
  return replaced
end

local function c_files(folder)
  local files = {}
  local pipe = assert(io.popen("LC_ALL=C ls " .. folder .. "/*.c"))
  for name in pipe:lines() do
    files[#files + 1] = name
  end
  pipe:close()
  return files
end

-- LuaRocks installs lua/ as a whole, and these folders' C files as they are listed.
local function check_lists(spec)
  for name, folder in pairs { ["pusher.core"] = "src/core", ["pusher.curl"] = "src/curl" } do
    local listed, found = table.concat(spec.build.modules[name].sources, " "), table.concat(c_files(folder), " ")
    if listed ~= found then
      fail(DEVELOPMENT, " lists for ", name, ": ", listed, "\nthe folder has: ", found)
    end
  end
end

if not version:find("^%d+%.%d+%.%d+$") then
  fail("VERSION must be x.y.z, such as 1.2.0, got ", version == "" and "none" or version)
elseif version ~= headers.VERSION then
  fail("VERSION is ", version, ", but the library calls itself ", headers.VERSION, " (lua/pusher/base/headers.lua)")
elseif repository:find("%.git$") or repository ~= "" and not repository:find("^https://[%w.-]+/[%w._/-]*[%w_-]$") then
  fail("REPOSITORY must be an address such as https://github.com/OWNER/NAME, got ", repository)
end

local text = text_file.read(DEVELOPMENT)
local spec = load_rockspec(text)
check_lists(spec)
if repository ~= "" then
  text = text:gsub("%f[%w]" .. spec.description.homepage:gsub("%p", "%%%0"), repository)
  spec = load_rockspec(text)
end
text = replace(text, 'version = "dev-1"', ('version = "%s-1"'):format(version))
text = replace(text, ('source = { url = "%s" }'):format(spec.source.url),
  ('source = { url = "%s", tag = "v%s" }'):format(spec.source.url, version))
text = text:gsub("%-%- `make rockspec[^\n]*\n", "")

text_file.write(path, text)
