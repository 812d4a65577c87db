local label = require "pusher.channels.label"

describe("pusher.channels.label", function()
  local name = label.new("/prefix/apps/1", "/server_api/v1/apps/1")

  it("names the endpoints", function()
    for path, expected in pairs {
      ["/events"] = "/events", ["/batch_events"] = "/batch_events", ["/channels"] = "/channels",
      ["/channels/presence-a"] = "/channels/:name", ["/channels/a/users"] = "/channels/:name/users",
      ["/users/u%2F1/terminate_connections"] = "/users/:id/terminate_connections",
      ["/users/u/force_reconnect"] = "/users/:id/force_reconnect",
    } do
      assert.equal(expected, name("/prefix/apps/1" .. path))
    end
    assert.equal("/notifications", name("/server_api/v1/apps/1/notifications"))
  end)

  it("gives all others one name", function()
    for _, path in ipairs { "", "/", "/channels/", "/channels/a/history", "/channels/a/b/users", "/channels/a/users/b",
      "/users/u", "/users", "/a/b", "//", "/eventsx", "events", "/channels//users" } do
      assert.equal("other", name("/prefix/apps/1" .. path), path)
    end
  end)
end)
