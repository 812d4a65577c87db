local addresses = require "pusher.base.addresses"

local ZEROS = ("\0"):rep(16)

-- The last of sixteen bytes; the ones before are zero.
local function last(bytes)
  return ZEROS:sub(1, 16 - #bytes) .. bytes
end

describe("pusher.base.addresses", function()
  it("reads IPv4 addresses as inet_pton does", function()
    assert.equal("\127\0\0\1", addresses.ipv4("127.0.0.1"))
    assert.equal("\255\255\255\255", addresses.ipv4("255.255.255.255"))
    for _, text in ipairs { "", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3", "1..2.3", "1.2.3.256", "1.2.3.400", "1.2.3.01", "1.2.3.00",
      "1.2.3.4 ", "1.2.3.x", "0x7f.0.0.1", "1.2.3.-4", "::1", "127.0.0." .. ("9"):rep(400) } do
      assert.is_nil(addresses.ipv4(text), text)
    end
  end)

  it("puts them among those of IPv6", function()
    assert.same({ addresses.MAPPED .. "\10\0\0\1", 96 }, { addresses.read("10.0.0.1") })
    assert.same({ addresses.MAPPED .. "\10\0\0\1", 0 }, { addresses.read("::ffff:10.0.0.1") })
  end)

  it("reads IPv6 addresses in any spelling", function()
    for text, expected in pairs {
      ["::"] = ZEROS, ["::1"] = last "\1", ["0:0:0:0:0:0:0:1"] = last "\1", ["::0001"] = last "\1",
      ["fd00::"] = "\253\0" .. ZEROS:sub(3), ["FD00::aB"] = "\253\0" .. ZEROS:sub(4) .. "\171",
      ["::1.2.3.4"] = last "\1\2\3\4", ["1:2:3:4:5:6:7::"] = "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\0",
      ["ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"] = ("\255"):rep(16), -- the longest
    } do
      assert.equal(expected, (addresses.read(text)), text)
    end
    for _, text in ipairs { "", ":", ":::", "1", "1:2", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1::", "12345::", "::g", "::1.2.3.400",
      "[::1]", "fe80::1%eth0", " ::1", ("0"):rep(50) .. "::1" } do
      assert.is_nil((addresses.read(text)), text)
    end
  end)
end)
