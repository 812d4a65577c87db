--- The service account of the known answers; its key was made for them.

local vectors = require("spec.helpers.push_vectors").fcm_oauth

local fcm_account = {}

fcm_account.public_key = vectors.public_key_pem

--- The account as its key file has it.
-- @tparam[opt] table changes members to replace; false removes one
-- @treturn table
function fcm_account.new(changes)
  local account = {
    type = "service_account",
    project_id = "proj-1",
    private_key_id = vectors.kid,
    private_key = vectors.private_key_pkcs8_pem,
    client_email = "firebase-adminsdk-test@proj-1.iam.gserviceaccount.com",
    token_uri = "https://oauth2.googleapis.com/token",
  }
  for name, value in pairs(changes or {}) do
    account[name] = value or nil
  end
  return account
end

return fcm_account
