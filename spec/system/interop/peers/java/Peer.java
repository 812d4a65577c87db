// pusher-http-java as a peer: see ../node.js for what goes in and comes out.

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.reflect.TypeToken;
import com.pusher.rest.Pusher;
import com.pusher.rest.data.Event;
import com.pusher.rest.data.PresenceUser;
import com.pusher.rest.data.Result;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

public class Peer {
    private static final Gson GSON = new Gson();

    private final Pusher client;

    private Peer(JsonObject app) {
        client = new Pusher(text(app, "app_id"), text(app, "key"), text(app, "secret"), text(app, "master_key"));
        client.setHost(text(app, "host") + ":" + app.get("port").getAsInt());
    }

    private static String text(JsonObject object, String name) {
        return object.has(name) ? object.get(name).getAsString() : null;
    }

    private static List<String> texts(JsonElement array) {
        return GSON.fromJson(array, new TypeToken<List<String>>() { }.getType());
    }

    private static JsonObject sent(Result result) {
        if (result.getStatus() != Result.Status.SUCCESS) {
            throw new IllegalStateException(result.getMessage());
        }
        return new JsonObject();
    }

    private static JsonObject skipped() {
        JsonObject result = new JsonObject();
        result.addProperty("skipped", true);
        return result;
    }

    private JsonObject trigger(JsonObject call) {
        return call.has("info") ? skipped() : sent(client.trigger(
            texts(call.get("channels")), text(call, "event"), call.get("data"), text(call, "socket_id")));
    }

    private JsonObject batch(JsonObject call) {
        List<Event> events = new ArrayList<>();
        for (JsonElement element : call.getAsJsonArray("events")) {
            JsonObject event = element.getAsJsonObject();
            if (event.has("info")) {
                return skipped();
            }
            events.add(new Event(text(event, "channel"), text(event, "name"), event.get("data"), text(event, "socket_id")));
        }
        return sent(client.trigger(events));
    }

    private JsonObject get(String path, JsonObject call) {
        Map<String, String> params = new HashMap<>();
        if (call.has("params")) {
            for (Map.Entry<String, JsonElement> entry : call.getAsJsonObject("params").entrySet()) {
                params.put(entry.getKey(), entry.getValue().getAsString());
            }
        }
        return sent(client.get(path, params));
    }

    private JsonObject authorize(JsonObject call) {
        JsonObject member = call.getAsJsonObject("member");
        JsonObject result = new JsonObject();
        result.addProperty("text", member == null
            ? client.authenticate(text(call, "socket_id"), text(call, "channel"))
            : client.authenticate(text(call, "socket_id"), text(call, "channel"),
                new PresenceUser(text(member, "user_id"), member.get("user_info"))));
        return result;
    }

    private JsonObject run(JsonObject call) {
        switch (text(call, "op")) {
            case "trigger": return trigger(call);
            case "batch": return batch(call);
            case "channels": return get("/channels", call);
            case "channel": return get("/channels/" + text(call, "channel"), call);
            case "users": return get("/channels/" + text(call, "channel") + "/users", call);
            case "authorize": return authorize(call);
            default: return skipped();
        }
    }

    public static void main(String[] args) {
        JsonObject given = JsonParser.parseString(args[0]).getAsJsonObject();
        Peer peer = new Peer(given.getAsJsonObject("app"));
        JsonArray results = new JsonArray();
        for (JsonElement call : given.getAsJsonArray("calls")) {
            results.add(peer.run(call.getAsJsonObject()));
        }
        System.out.println(results);
    }
}
