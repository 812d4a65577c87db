--- Splits a multipart form into its fields (RFC 7578, RFC 2046 5.1). Pure, linear.
--
-- Where readers differ, the form is refused: text around the parts, files, transfer encodings, escapes in names.

local arguments = require "pusher.base.arguments"
local ascii = require "pusher.base.ascii"
local errors = require "pusher.base.errors"

local multipart = {}

local MAX_BOUNDARY_BYTES = 70 -- RFC 2046 5.1.1

local find, match, sub = string.find, string.match, string.sub

local TOKEN = "[A-Za-z0-9!#$%%&'*+.^_`|~-]"
local NAME, BARE = "^[ \t]*;[ \t]*(" .. TOKEN .. "*)()", "^=(" .. TOKEN .. "+)()"
local QUOTED = '^="([^"\\%z\1-\31\127]*)"()'
local HEADER = "^(" .. TOKEN .. "+):[ \t]*()"

-- None of these changes a byte.
local IDENTITY = { ["7bit"] = true, ["8bit"] = true, binary = true }

local function refuse(message)
  return errors.fail("invalid", "the multipart form is malformed: " .. message, { field = "form" })
end

local function refuse_disposition()
  return refuse("a part must have one Content-Disposition: form-data with a name")
end

-- The parameters from `at` on, names in lower case; nil when they are malformed, or one is given twice.
local function parameters(text, at)
  local found = {}
  while not find(text, "^[ \t]*$", at) do
    local name, after = match(text, NAME, at)
    if not name then
      return nil
    end
    local value, next_one = match(text, QUOTED, after)
    if not value then
      value, next_one = match(text, BARE, after)
    end
    name = ascii.lower(name)
    if not value or found[name] then
      return nil
    end
    found[name], at = value, next_one
  end
  return found
end

-- The delimiter before each part but the first, which has no line break before it.
local function read_delimiter(content_type)
  local found = parameters(content_type, find(content_type, ";", 1, true) or #content_type + 1)
  local boundary = found and found.boundary
  if not boundary or #boundary == 0 or #boundary > MAX_BOUNDARY_BYTES then
    return refuse(("its content type must have one boundary of 1 to %d bytes, got %s"):format(MAX_BOUNDARY_BYTES,
      arguments.show(content_type)))
  end
  return "\r\n--" .. boundary
end

-- The field's name, from a value of Content-Disposition.
local function read_disposition(line, at)
  local start, last = find(ascii.lower(line), "form-data", at, true)
  local found = start == at and parameters(line, last + 1)
  if not found or not found.name then
    return refuse_disposition()
  end
  for parameter in next, found do
    if parameter ~= "name" then
      return refuse("a part must be a field, not a file")
    end
  end
  return found.name
end

-- The name of the part whose header lines are `head`, each with a line break at its end.
local function read_head(head)
  local name, message, details
  local start = 1
  while start < #head do
    local stop = find(head, "\r\n", start, true)
    local line = sub(head, start, stop - 1)
    local header, at = match(line, HEADER)
    header = header and ascii.lower(header)
    if not header or find(line, ascii.CONTROL) then
      return refuse("a part has a line that is no header")
    elseif header == "content-transfer-encoding" and not IDENTITY[ascii.lower(sub(line, at))] then
      return refuse("a part must have no transfer encoding")
    elseif header == "content-disposition" then
      if name then
        return refuse_disposition()
      end
      name, message, details = read_disposition(line, at)
      if not name then
        return nil, message, details
      end
    end
    start = stop + 2
  end
  if not name then
    return refuse_disposition()
  end
  return name
end

-- Adds the part that follows the delimiter which ends before `at`; returns the place after the next delimiter.
local function read_part(text, at, delimiter, add)
  local start = match(text, "^[ \t]*\r\n()", at)
  if not start then
    return refuse("a boundary must end its line")
  end
  local head_end = find(text, "\r\n\r\n", start, true)
  local stop, last
  if head_end then
    stop, last = find(text, delimiter, head_end + 2, true)
  end
  if not stop or stop < head_end + 4 then
    return refuse("a part must have a head, an empty line, a value and the boundary")
  end
  local added
  local name, message, details = read_head(sub(text, start, head_end + 1))
  if name then
    added, message, details = add(name, sub(text, head_end + 4, stop - 1))
  end
  return added and last + 1, message, details
end

--- Reads the fields.
-- @tparam string text the body
-- @tparam string content_type its content type, with the boundary
-- @tparam function add function(name, value) -> true | nil, message, details: called for each field in order
-- @treturn true|nil
function multipart.read(text, content_type, add)
  local delimiter, message, details = read_delimiter(content_type)
  if not delimiter then
    return nil, message, details
  elseif sub(text, 1, #delimiter - 2) ~= sub(delimiter, 3) then
    return refuse("it must begin with the boundary")
  end
  local at = #delimiter - 1
  while sub(text, at, at + 1) ~= "--" do
    at, message, details = read_part(text, at, delimiter, add)
    if not at then
      return nil, message, details
    end
  end
  if not find(text, "^[ \t\r\n]*$", at + 2) then
    return refuse("it must end with the boundary")
  end
  return true
end

return multipart
