// The Java side of the benchmark: pusher-http-java, driven over stdin.
// Protocol: see ../../README.md. Arguments: inputs.json, port of the server.

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.reflect.TypeToken;
import com.pusher.rest.Pusher;
import com.pusher.rest.data.Event;
import com.pusher.rest.data.PresenceUser;
import com.pusher.rest.data.Result;
import com.pusher.rest.data.Validity;
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.FileReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;

public class Peer {
    private static final Gson GSON = new Gson();
    private static final OperatingSystemMXBean SYSTEM =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private final JsonObject inputs;
    private final Pusher client;
    private final int inFlight;
    private final ExecutorService threads;

    private Peer(JsonObject inputs, String port) {
        this.inputs = inputs;
        inFlight = inputs.get("in_flight").getAsInt();
        threads = Executors.newFixedThreadPool(inFlight);
        client = new Pusher(text("app_id"), text("key"), text("secret"), text("master_key_base64"));
        client.setHost("127.0.0.1:" + port);
        // The default keeps two connections for each host.
        client.configureHttpClient(Pusher.defaultHttpClientBuilder()
            .setMaxConnPerRoute(inFlight).setMaxConnTotal(inFlight));
    }

    private String text(String name) {
        return inputs.get(name).getAsString();
    }

    private Object map(String name) {
        return GSON.fromJson(inputs.get(name), new TypeToken<Map<String, String>>() { }.getType());
    }

    private static Map<String, String> fields(String form) {
        Map<String, String> fields = new HashMap<>();
        for (String pair : form.split("&")) {
            fields.put(pair.split("=")[0], pair.split("=")[1]);
        }
        return fields;
    }

    // The library takes the socket and the channel as two arguments, and need not decode the form.
    private Callable<String> authorize(String form) {
        Map<String, String> fields = fields(form);
        return () -> client.authenticate(fields.get("socket_id"), fields.get("channel_name"));
    }

    private Callable<String> authorizePresence() {
        Map<String, String> fields = fields(text("presence_form"));
        JsonObject member = inputs.getAsJsonObject("member");
        PresenceUser user = new PresenceUser(member.get("user_id").getAsString(),
            GSON.fromJson(member.get("user_info"), new TypeToken<Map<String, String>>() { }.getType()));
        return () -> client.authenticate(fields.get("socket_id"), fields.get("channel_name"), user);
    }

    // The library only checks the signature; the events are decoded with its own JSON library.
    private Callable<String> webhook(String name, int count) {
        String key = text("key"), body = text(name + "_body"), signature = text(name + "_signature");
        return () -> {
            if (client.validateWebhookSignature(key, signature, body) != Validity.VALID) {
                throw new IllegalStateException("webhook refused");
            }
            return JsonParser.parseString(body).getAsJsonObject().getAsJsonArray("events").get(count - 1)
                .getAsJsonObject().get("data").getAsString();
        };
    }

    private static String sent(Result result) {
        if (result.getStatus() != Result.Status.SUCCESS) {
            throw new IllegalStateException(result.getMessage());
        }
        return "ok";
    }

    private Callable<String> trigger(Object data) {
        String channel = text("channel"), event = text("event");
        return () -> sent(client.trigger(channel, event, data));
    }

    private Callable<String> batch() {
        String channel = text("channel"), event = text("event");
        Object data = map("event_data");
        return () -> {
            List<Event> events = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                events.add(new Event(channel, event, data));
            }
            return sent(client.trigger(events));
        };
    }

    private Callable<String> operation(String name) {
        switch (name) {
            case "authorize_private": return authorize(text("private_form"));
            case "authorize_presence": return authorizePresence();
            case "authorize_encrypted": return authorize(text("encrypted_form"));
            case "webhook": return webhook(name, 1);
            case "webhook_10": return webhook(name, 10);
            case "trigger": case "in_flight": return trigger(map("data"));
            case "publisher": return trigger(map("event_data"));
            case "batch": return batch();
            default: return null;
        }
    }

    private void run(Callable<String> operation, long n, int width) throws Exception {
        if (width == 1) {
            for (long i = 0; i < n; i++) {
                operation.call();
            }
            return;
        }
        AtomicLong left = new AtomicLong(n);
        List<Future<Object>> running = new ArrayList<>();
        for (int i = 0; i < width; i++) {
            running.add(threads.submit(() -> {
                while (left.getAndDecrement() > 0) {
                    operation.call();
                }
                return null;
            }));
        }
        for (Future<Object> one : running) {
            one.get();
        }
    }

    private String reply(String line) throws Exception {
        String[] words = line.split(" ");
        boolean show = words[0].equals("show");
        String name = show ? words[1] : words[0];
        Callable<String> operation = operation(name);
        if (operation == null) {
            return "none";
        } else if (show) {
            return operation.call();
        }
        int width = name.equals("in_flight") || name.equals("publisher") ? inFlight : 1;
        long wall = System.nanoTime(), cpu = SYSTEM.getProcessCpuTime();
        run(operation, Long.parseLong(words[1]), width);
        return (System.nanoTime() - wall) + " " + (SYSTEM.getProcessCpuTime() - cpu);
    }

    public static void main(String[] given) throws Exception {
        Peer peer = new Peer(JsonParser.parseReader(new FileReader(given[0])).getAsJsonObject(), given[1]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String text;
            try {
                text = peer.reply(line);
            } catch (Exception failure) {
                text = "error " + failure;
            }
            System.out.println(text);
        }
        System.exit(0);
    }
}
