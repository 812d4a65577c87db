--- Reads Prometheus' text format, strictly: raises at the first line that breaks a rule.
--
-- Rule: Prometheus docs, "Exposition formats": one TYPE line for each family, before its samples, which stand together;
-- names, label names, escapes and values as allowed; no sample twice; a line feed at the end.

local prometheus = {}

local KINDS = { counter = true, gauge = true, summary = true }

-- Removes the labels of a sample one by one; what is left must be nothing.
local function check_labels(text)
  local seen, rest = {}, text
  repeat
    local name, value_start = rest:match('^([%a_][%w_]*)="()')
    assert(name and not seen[name], "wrong label in: " .. text)
    seen[name] = true
    local at = value_start
    while rest:sub(at, at) ~= '"' do
      local byte = rest:sub(at, at)
      assert(byte ~= "" and byte ~= "\n", "label without an end: " .. text)
      assert(byte ~= "\\" or rest:find('^[\\"n]', at + 1), "wrong escape in: " .. text)
      at = at + (byte == "\\" and 2 or 1)
    end
    local follows = rest:sub(at + 1, at + 1)
    assert(follows == "" or follows == ",", "wrong end of a label in: " .. text)
    rest = rest:sub(at + 2)
  until rest == ""
end

local function family_of(name, kinds)
  local base = name:gsub("_sum$", ""):gsub("_count$", "")
  return kinds[base] == "summary" and base or name
end

--- Reads the samples of a page.
-- @tparam string text
-- @treturn table samples to numbers, such as `["name{label=\"x\"}"] = 1`
function prometheus.read(text)
  local samples, kinds, current = {}, {}, nil
  assert(text:sub(-1) == "\n", "the text does not end in a line feed")
  for line in text:gmatch("(.-)\n") do
    local family, kind = line:match("^# TYPE ([%a_:][%w_:]*) (%a+)$")
    if family then
      assert(KINDS[kind] and not kinds[family], "wrong or second TYPE: " .. line)
      kinds[family], current = kind, family
    else
      local sample, value = line:match("^(.+) (%S+)$")
      local name, labels = (sample or ""):match("^([%a_:][%w_:]*){(.*)}$")
      assert(name, "no sample: " .. line)
      check_labels(labels)
      assert(family_of(name, kinds) == current, "a sample outside its family: " .. line)
      assert(not samples[sample] and tonumber(value), "wrong or second sample: " .. line)
      assert(kinds[current] ~= "counter" or current:find("_total$"), "a counter's name ends in _total: " .. line)
      samples[sample] = tonumber(value)
    end
  end
  return samples
end

return prometheus
