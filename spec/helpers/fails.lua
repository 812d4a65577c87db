--- Expects a call to have failed with exactly this message and these details. Messages are part of the API.
--   fails("the client is closed", { code = "closed" }, client:trigger("a", "b"))
-- `retryable` follows from the code, so it is compared only where it is expected.

local assert = require "luassert"

return function(message, details, ...)
  local result, got, given = ...
  local seen = {}
  for name, value in pairs(given or {}) do
    seen[name] = value
  end
  if details.retryable == nil then
    seen.retryable = nil
  end
  assert.is_nil(result)
  assert.equal(message, got)
  assert.same(details, seen)
end
