local jwt = require "pusher.base.jwt"
local vectors = require("spec.helpers.push_vectors")

describe("pusher.base.jwt", function()
  it("makes the signing input and the token of the known answers", function()
    local case = vectors.fcm_oauth
    local input = jwt.signing_input(case.header_json, case.claims_json)
    assert.are.equal(case.assertion:match("^(.*)%."), input)
    local signature = require("pusher.core").base64url_decode(case.assertion:match("[^.]*$"))
    assert.are.equal(case.assertion, jwt.compact(input, signature))
  end)

  for _, case in ipairs(vectors.beams.tokens) do
    it("agrees with the token of " .. case.user_id .. " at " .. ("%.0f"):format(case.now), function()
      assert.are.equal(case.token:match("^(.*)%."), jwt.signing_input(case.header_json, case.claims_json))
    end)
  end
end)
