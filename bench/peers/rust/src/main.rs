//! The Rust side of the benchmark: sockudo-http on tokio, driven over stdin.
//! Protocol: see ../../../README.md. argv: inputs.json, port of the server.

use serde_json::Value as Inputs;
use sockudo_http::events::BatchEvent;
use sockudo_http::{Channel, Config, Sockudo, Token, Webhook};
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::Instant;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A subscription: what is authorized.
struct Subscription {
    socket_id: String,
    channel: Channel,
    member: Option<sonic_rs::Value>,
}

/// A call over the network.
#[derive(Clone)]
enum Call {
    Trigger(Arc<(Vec<Channel>, sockudo_http::events::EventData)>),
    Batch,
}

struct Side {
    inputs: Inputs,
    client: Sockudo,
    runtime: tokio::runtime::Runtime,
    subscriptions: BTreeMap<&'static str, Subscription>,
}

fn text<'a>(inputs: &'a Inputs, name: &str) -> &'a str {
    inputs[name].as_str().unwrap_or_else(|| panic!("inputs.json has no {name}"))
}

fn json(value: &Inputs) -> Result<sonic_rs::Value, Failure> {
    Ok(sonic_rs::from_str(&value.to_string())?)
}

fn subscription(form: &str, member: Option<sonic_rs::Value>) -> Result<Subscription, Failure> {
    let fields: BTreeMap<_, _> = form.split('&').filter_map(|pair| pair.split_once('=')).collect();
    Ok(Subscription {
        socket_id: fields["socket_id"].to_string(),
        channel: Channel::from_string(fields["channel_name"])?,
        member,
    })
}

fn new_client(inputs: &Inputs, port: u16) -> Result<Sockudo, Failure> {
    let config = Config::builder()
        .app_id(text(inputs, "app_id"))
        .key(text(inputs, "key"))
        .secret(text(inputs, "secret"))
        .host("127.0.0.1")
        .port(port)
        .use_tls(false)
        .pool_max_idle_per_host(128)
        .auto_idempotency_key(false) // as the other sides
        .encryption_master_key_base64(text(inputs, "master_key_base64"))?
        .build()?;
    Ok(Sockudo::new(config)?)
}

fn process_cpu_ns() -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

impl Side {
    fn new(inputs: Inputs, port: u16) -> Result<Side, Failure> {
        let mut subscriptions = BTreeMap::new();
        subscriptions.insert("authorize_private", subscription(text(&inputs, "private_form"), None)?);
        subscriptions.insert("authorize_encrypted", subscription(text(&inputs, "encrypted_form"), None)?);
        subscriptions
            .insert("authorize_presence", subscription(text(&inputs, "presence_form"), Some(json(&inputs["member"])?))?);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        Ok(Side { client: new_client(&inputs, port)?, inputs, runtime, subscriptions })
    }

    fn authorize(&self, asked: &Subscription) -> Result<String, Failure> {
        let granted = self.client.authorize_channel(&asked.socket_id, &asked.channel, asked.member.as_ref())?;
        Ok(sonic_rs::to_string(&granted)?)
    }

    /// Checks a webhook and decodes its events; None when `name` is no webhook.
    fn webhook(&self, name: &str) -> Option<impl Fn() -> Result<String, Failure>> {
        let count = match name {
            "webhook" => 1,
            "webhook_10" => 10,
            _ => return None,
        };
        let token = Token::new(text(&self.inputs, "key"), text(&self.inputs, "secret"));
        let body = text(&self.inputs, &format!("{name}_body")).to_string();
        let headers: BTreeMap<String, String> = [
            ("x-pusher-key", text(&self.inputs, "key")),
            ("x-pusher-signature", text(&self.inputs, &format!("{name}_signature"))),
            ("content-type", "application/json"),
        ]
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .into();
        Some(move || {
            let hook = Webhook::new(&token, &headers, &body);
            if !hook.is_valid(None) {
                return Err("webhook refused".into());
            }
            Ok(hook.get_raw_events()?[count - 1]["data"].clone())
        })
    }

    fn triggers(&self, channels: &[String], data: sockudo_http::events::EventData) -> Result<Call, Failure> {
        let channels = channels.iter().map(Channel::from_string).collect::<Result<Vec<_>, _>>()?;
        Ok(Call::Trigger(Arc::new((channels, data))))
    }

    /// A call over the network, and how many are in flight. NAME_N are the growth cases.
    fn call(&self, name: &str) -> Result<Option<(Call, usize)>, Failure> {
        let channel = text(&self.inputs, "channel").to_string();
        let data = || json(&self.inputs["data"]).map(Into::into);
        let in_flight = self.inputs["in_flight"].as_u64().unwrap_or(1) as usize;
        let n = name.rsplit('_').next().and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(0);
        let (channels, data, width) = match name {
            "batch" => return Ok(Some((Call::Batch, 1))),
            "trigger" => (vec![channel], data()?, 1),
            "in_flight" => (vec![channel], data()?, in_flight),
            "publisher" => (vec![channel], json(&self.inputs["event_data"])?.into(), in_flight),
            _ if n > 0 && name.starts_with("size_") => (vec![channel], "x".repeat(n).into(), 1),
            _ if n > 0 && name.starts_with("flight_") => (vec![channel], data()?, n),
            _ if n > 0 && name.starts_with("channels_") => {
                ((1..=n).map(|i| format!("{channel}-{i}")).collect(), data()?, 1)
            }
            _ => return Ok(None),
        };
        Ok(Some((self.triggers(&channels, data)?, width)))
    }

    /// The response is read to its end, or the connection is not used again.
    async fn send(client: &Sockudo, inputs: &Inputs, call: &Call) -> Result<(), Failure> {
        let event = text(inputs, "event");
        let response = match call {
            Call::Trigger(given) => client.trigger(&given.0, event, given.1.clone(), None).await?,
            Call::Batch => {
                let data: sockudo_http::events::EventData = json(&inputs["event_data"])?.into();
                let item = || BatchEvent::new(event, text(inputs, "channel"), data.to_string());
                client.trigger_batch((0..10).map(|_| item()).collect()).await?
            }
        };
        if !response.status().is_success() {
            return Err(format!("status {}", response.status()).into());
        }
        response.bytes().await?;
        Ok(())
    }

    /// `n` calls, `width` of them in flight: each task sends one after another.
    fn send_many(&self, call: &Call, n: i64, width: usize) -> Result<(), Failure> {
        let left = Arc::new(AtomicI64::new(n));
        self.runtime.block_on(async {
            let tasks: Vec<_> = (0..width)
                .map(|_| {
                    let (left, client, inputs, call) =
                        (left.clone(), self.client.clone(), self.inputs.clone(), call.clone());
                    tokio::spawn(async move {
                        while left.fetch_sub(1, Ordering::Relaxed) > 0 {
                            Side::send(&client, &inputs, &call).await?;
                        }
                        Ok::<(), Failure>(())
                    })
                })
                .collect();
            for task in tasks {
                task.await??;
            }
            Ok(())
        })
    }

    fn show(&self, name: &str) -> Result<String, Failure> {
        if let Some(asked) = self.subscriptions.get(name) {
            return self.authorize(asked);
        } else if let Some(check) = self.webhook(name) {
            return check();
        } else if let Some((call, _)) = self.call(name)? {
            self.send_many(&call, 1, 1)?;
            return Ok("ok".to_string());
        }
        Ok("none".to_string())
    }

    fn run(&self, name: &str, n: i64) -> Result<String, Failure> {
        let (asked, webhook, call) = (self.subscriptions.get(name), self.webhook(name), self.call(name)?);
        let (wall, cpu) = (Instant::now(), process_cpu_ns());
        if let Some(asked) = asked {
            for _ in 0..n {
                std::hint::black_box(self.authorize(asked)?);
            }
        } else if let Some(check) = webhook {
            for _ in 0..n {
                std::hint::black_box(check()?);
            }
        } else if let Some((call, width)) = call {
            self.send_many(&call, n, width)?;
        } else {
            return Ok("none".to_string());
        }
        Ok(format!("{} {}", wall.elapsed().as_nanos(), process_cpu_ns() - cpu))
    }

    fn reply(&self, line: &str) -> Result<String, Failure> {
        let (first, second) = line.split_once(' ').ok_or("two words expected")?;
        if first == "show" {
            return self.show(second);
        }
        self.run(first, second.parse()?)
    }
}

fn main() -> Result<(), Failure> {
    let given: Vec<String> = std::env::args().collect();
    let side = Side::new(serde_json::from_str(&std::fs::read_to_string(&given[1])?)?, given[2].parse()?)?;
    for line in std::io::stdin().lock().lines() {
        let text = side.reply(&line?).unwrap_or_else(|failure| format!("error {failure}"));
        println!("{text}");
        std::io::stdout().flush()?;
    }
    Ok(())
}
