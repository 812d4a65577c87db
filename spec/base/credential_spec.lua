local credential = require "pusher.base.credential"

describe("pusher.base.credential", function()
  it("takes texts without spaces and control characters", function()
    for _, text in ipairs { "a", "7ad3773142a6692b25b8", "a:b/c+d==", "\195\188" } do
      assert.is_nil(credential.fault(text))
    end
    for _, text in ipairs { " a", "a ", "a b", "a\n", "a\r\n", "\ta", "a\0b", "a\127" } do
      assert.equal("must not contain spaces or control characters", credential.fault(text))
    end
  end)

  it("takes no characters that nobody sees", function()
    for _, hidden in ipairs { "\239\187\191", "\194\160", "\194\173", "\194\133", "\226\128\139", "\226\128\168",
      "\226\129\160", "\227\128\128" } do
      for _, text in ipairs { hidden .. "a", "a" .. hidden, "a" .. hidden .. "b" } do
        assert.equal("must not contain invisible characters, such as a byte order mark", credential.fault(text))
      end
    end
    for _, seen in ipairs { "\194\161", "\226\130\172", "\227\128\129", "\239\188\161", "\240\159\152\128" } do
      assert.is_nil(credential.fault(seen))
    end
  end)

  it("says what is missing, and what is no text, and shows nothing of it", function()
    assert.equal("is missing", credential.fault(nil))
    assert.equal("is missing", credential.fault(""))
    assert.equal("must be a string, got number", credential.fault(12345))
    assert.equal("must be a string, got table", credential.fault {})
  end)
end)
