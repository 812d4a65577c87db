local arguments = require "pusher.base.arguments"
local fails = require "spec.helpers.fails"
local multipart = require "pusher.channels.multipart"

local TYPE = "multipart/form-data; boundary=b"

local function part(name, value, more)
  return '--b\r\nContent-Disposition: form-data; name="' .. name .. '"\r\n' .. (more or "") .. "\r\n" .. value .. "\r\n"
end

local GOOD = part("socket_id", "1.2") .. part("channel_name", "private-a") .. "--b--\r\n"

describe("pusher.channels.multipart", function()
  -- The fields in order, as one text.
  local function read(text, content_type)
    local found = {}
    local ok, message, details = multipart.read(text, content_type or TYPE, function(name, value)
      found[#found + 1] = name .. "=" .. value
      return true
    end)
    return ok and table.concat(found, "&"), message, details
  end

  local function refuses(message, ...)
    fails("the multipart form is malformed: " .. message, { code = "invalid", field = "form" }, read(...))
  end

  it("reads fields in order", function()
    assert.equal("socket_id=1.2&channel_name=private-a", read(GOOD))
    for text, expected in pairs {
      [part("a", "") .. "--b--"] = "a=", [part("", "x") .. "--b--"] = "=x", ["--b--"] = "", ["--b--\r\n"] = "",
      ["--b-- \t\r\n\r\n"] = "",
      [part("a", "\r\n--c\r\n\0\255-- b") .. "--b--"] = "a=\r\n--c\r\n\0\255-- b",
      [part("a", "1") .. part("a", "2") .. "--b--"] = "a=1&a=2",
      ["--b \t\r\n" .. part("a", "1"):sub(6) .. "--b--"] = "a=1", [part("a%22b", "1") .. "--b--"] = "a%22b=1",
      [part("a", "1", "Content-Type: text/plain; charset=utf-8\r\n") .. "--b--"] = "a=1",
      [part("a", "1", "content-transfer-encoding:8BIT\r\nX:\r\n") .. "--b--"] = "a=1",
      [part("a", "1", "Content-Transfer-Encoding: 7bit\r\n")
        .. part("b", "2", "Content-Transfer-Encoding: binary\r\n") .. "--b--"] = "a=1&b=2",
      ["--b\r\ncontent-disposition:FORM-DATA;NAME=a\r\n\r\n1\r\n--b--"] = "a=1",
    } do
      assert.equal(expected, read(text), text)
    end
  end)

  it("reads every form of a boundary", function()
    for _, case in ipairs { { 'multipart/form-data; boundary="a b:c"', "a b:c" },
      { "multipart/form-data;charset=utf-8;Boundary=b;x=y", "b" },
      { "multipart/form-data; boundary=" .. ("x"):rep(70), ("x"):rep(70) }, { "Multipart/Form-Data ; boundary=b ", "b" },
      { 'multipart/form-data; boundary="%d+"', "%d+" } } do
      assert.equal("socket_id=1.2&channel_name=private-a", read((GOOD:gsub("%-%-b", function() return "--" .. case[2] end)), case[1]))
    end
  end)

  it("refuses a content type without a proper boundary", function()
    for _, rest in ipairs { "", ";", "; boundary", "; boundary=", '; boundary=""', "; boundary=b; boundary=b",
      '; boundary="b', "; boundary=a b",
      "; boundary=" .. ("x"):rep(71), "; charset=utf-8", '; boundary="a\\"b"', "; boundary=b;", '; boundary="b\r\n"', " boundary=b",
      "; boundary = b", '; boundary="b"x=y' } do
      local given = arguments.show("multipart/form-data" .. rest)
      refuses("its content type must have one boundary of 1 to 70 bytes, got " .. given, GOOD, "multipart/form-data" .. rest)
    end
  end)

  it("refuses text around the parts", function()
    for _, text in ipairs { "", "x" .. GOOD, "\r\n" .. GOOD, "--a", "-", "--c" .. GOOD:sub(4) } do
      refuses("it must begin with the boundary", text)
    end
    refuses("it must end with the boundary", GOOD .. "x")
    refuses("it must end with the boundary", "--b--b")
    for _, text in ipairs { "--b", "--bx\r\n" .. GOOD:sub(6), (GOOD:gsub("%-%-b%-%-", "--b-")), "--b\n" .. GOOD:sub(6),
      part("a", "1") .. "--bc\r\n\r\n--b--" } do
      refuses("a boundary must end its line", text)
    end
  end)

  it("refuses parts that are no fields", function()
    local incomplete = "a part must have a head, an empty line, a value and the boundary"
    for _, text in ipairs { "--b\r\n", "--b\r\n\r\n1\r\n--b--", part("a", "1"), GOOD:sub(1, -7),
      '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n--b--',
      (GOOD:gsub("\r\n\r\n", "\r\n")) } do
      refuses(incomplete, text)
    end
    for _, head in ipairs { "X: y\r\n",
      'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="a"\r\n', "Content-Disposition: form-data\r\n",
      'Content-Disposition: attachment; name="a"\r\n', 'Content-Disposition: form-datax; name="a"\r\n',
      'Content-Disposition: x; form-data; name="a"\r\n', 'Content-Disposition: form-data; name="a"; name="b"\r\n',
      'Content-Disposition: form-data; name="a\\"b"\r\n', "Content-Disposition: form-data; name=\r\n",
      'Content-Disposition: form-data; name="a\r\n' } do
      refuses("a part must have one Content-Disposition: form-data with a name", "--b\r\n" .. head .. "\r\n1\r\n--b--")
    end
    for _, more in ipairs { '; filename="x"', "; filename*=utf-8''x", "; filename=", "; name*=utf-8''b" } do
      local text = '--b\r\nContent-Disposition: form-data; name="a"' .. more .. "\r\n\r\n1\r\n--b--"
      refuses(more == "; filename=" and "a part must have one Content-Disposition: form-data with a name"
        or "a part must be a field, not a file", text)
    end
    for _, line in ipairs { "x", ": x", " folded: x", "a b: c", "a: b\rc", "a: b\nc", "a: \0" } do
      refuses("a part has a line that is no header", part("a", "1", line .. "\r\n") .. "--b--")
    end
    for _, coding in ipairs { "base64", "quoted-printable", "" } do
      refuses("a part must have no transfer encoding", part("a", "1", "Content-Transfer-Encoding: " .. coding .. "\r\n") .. "--b--")
    end
  end)

  it("ends when a field is refused", function()
    local calls = 0
    fails("too many", { code = "invalid" }, multipart.read(GOOD, TYPE, function()
      calls = calls + 1
      return nil, "too many", { code = "invalid" }
    end))
    assert.equal(1, calls)
  end)
end)
