// The Go side of the benchmark: pusher-http-go v5, driven over stdin.
// Protocol: see ../../README.md. argv: inputs.json, port of the server.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	pusher "github.com/pusher/pusher-http-go/v5"
)

type inputs struct {
	AppID            string            `json:"app_id"`
	Key              string            `json:"key"`
	Secret           string            `json:"secret"`
	MasterKeyBase64  string            `json:"master_key_base64"`
	PrivateForm      string            `json:"private_form"`
	PresenceForm     string            `json:"presence_form"`
	EncryptedForm    string            `json:"encrypted_form"`
	Member           pusher.MemberData `json:"-"`
	WebhookBody      string            `json:"webhook_body"`
	WebhookSignature string            `json:"webhook_signature"`
	Webhook10Body    string            `json:"webhook_10_body"`
	Webhook10Sign    string            `json:"webhook_10_signature"`
	Channel          string            `json:"channel"`
	Event            string            `json:"event"`
	Data             map[string]string `json:"data"`
	EventData        map[string]string `json:"event_data"`
	InFlight         int               `json:"in_flight"`
	RawMember        struct {
		UserID   string            `json:"user_id"`
		UserInfo map[string]string `json:"user_info"`
	} `json:"member"`
}

type side struct {
	in     inputs
	client *pusher.Client
	all    map[string]operation
}

// An operation is timed; the runner compares the text that it returns with the other sides'.
type operation func() (string, error)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "go peer:", err)
		os.Exit(1)
	}
}

func readInputs(path string) (in inputs) {
	text, err := os.ReadFile(path)
	must(err)
	must(json.Unmarshal(text, &in))
	in.Member = pusher.MemberData{UserID: in.RawMember.UserID, UserInfo: in.RawMember.UserInfo}
	return in
}

func newClient(in inputs, port string) *pusher.Client {
	// Go's default keeps two idle connections per host and would reconnect all the time with 64 goroutines.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 2*in.InFlight
	return &pusher.Client{
		AppID: in.AppID, Key: in.Key, Secret: in.Secret, Host: "127.0.0.1:" + port,
		EncryptionMasterKeyBase64: in.MasterKeyBase64,
		HTTPClient:                &http.Client{Timeout: 5 * time.Second, Transport: transport},
	}
}

func operations(in inputs, client *pusher.Client) map[string]operation {
	private, presence, encrypted := []byte(in.PrivateForm), []byte(in.PresenceForm), []byte(in.EncryptedForm)
	return map[string]operation{
		"authorize_private": func() (string, error) {
			out, err := client.AuthorizePrivateChannel(private)
			return string(out), err
		},
		"authorize_presence": func() (string, error) {
			out, err := client.AuthorizePresenceChannel(presence, in.Member)
			return string(out), err
		},
		"authorize_encrypted": func() (string, error) {
			out, err := client.AuthorizePrivateChannel(encrypted)
			return string(out), err
		},
		"webhook":    webhook(in, client, in.WebhookBody, in.WebhookSignature, 1),
		"webhook_10": webhook(in, client, in.Webhook10Body, in.Webhook10Sign, 10),
		"trigger": func() (string, error) {
			return "ok", client.Trigger(in.Channel, in.Event, in.Data)
		},
		"publisher": func() (string, error) {
			return "ok", client.Trigger(in.Channel, in.Event, in.EventData)
		},
		"batch": func() (string, error) {
			events := make([]pusher.Event, 10)
			for i := range events {
				events[i] = pusher.Event{Channel: in.Channel, Name: in.Event, Data: in.EventData}
			}
			_, err := client.TriggerBatch(events)
			return "ok", err
		},
	}
}

func webhook(in inputs, client *pusher.Client, body, signature string, count int) operation {
	bytes, header := []byte(body), http.Header{}
	header.Set("X-Pusher-Key", in.Key)
	header.Set("X-Pusher-Signature", signature)
	return func() (string, error) {
		hook, err := client.Webhook(header, bytes)
		if err != nil {
			return "", err
		}
		return hook.Events[count-1].Data, nil
	}
}

// The growth cases: NAME_N. Data of N bytes, N channels, N in flight.
func grown(in inputs, client *pusher.Client, name string) (op operation, goroutines int) {
	kind, number, _ := strings.Cut(name, "_")
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil, 0
	}
	data, channels := any(in.Data), []string{in.Channel}
	goroutines = 1
	switch kind {
	case "size":
		data = strings.Repeat("x", n)
	case "channels":
		channels = nil
		for i := 1; i <= n; i++ {
			channels = append(channels, fmt.Sprintf("%s-%d", in.Channel, i))
		}
	case "flight":
		goroutines = n
	default:
		return nil, 0
	}
	return func() (string, error) { return "ok", client.TriggerMulti(channels, in.Event, data) }, goroutines
}

// Runs n operations shared out over as many goroutines as asked for.
func run(op operation, n, goroutines int) error {
	if goroutines == 1 {
		for i := 0; i < n; i++ {
			if _, err := op(); err != nil {
				return err
			}
		}
		return nil
	}
	var left atomic.Int64
	var failure atomic.Value
	var group sync.WaitGroup
	left.Store(int64(n))
	for g := 0; g < goroutines; g++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for left.Add(-1) >= 0 {
				if _, err := op(); err != nil {
					failure.Store(err)
					return
				}
			}
		}()
	}
	group.Wait()
	if err, failed := failure.Load().(error); failed {
		return err
	}
	return nil
}

func cpu() int64 {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// The operation of a name, and how many goroutines do it; nil when there is none.
func (p *side) find(name string) (op operation, goroutines int) {
	switch name {
	case "in_flight":
		return p.all["trigger"], p.in.InFlight
	case "publisher":
		return p.all["publisher"], p.in.InFlight
	}
	if op, known := p.all[name]; known {
		return op, 1
	}
	return grown(p.in, p.client, name)
}

func (p *side) reply(line string) (string, error) {
	fields := strings.Fields(line)
	if len(fields) != 2 {
		return "", fmt.Errorf("two words expected")
	}
	show := fields[0] == "show"
	name := fields[0]
	if show {
		name = fields[1]
	}
	op, goroutines := p.find(name)
	if op == nil {
		return "none", nil
	}
	if show {
		return op()
	}
	n, err := strconv.Atoi(fields[1])
	if err != nil {
		return "", err
	}
	wallBefore, cpuBefore := time.Now(), cpu()
	err = run(op, n, goroutines)
	return fmt.Sprintf("%d %d", time.Since(wallBefore).Nanoseconds(), cpu()-cpuBefore), err
}

func main() {
	in := readInputs(os.Args[1])
	client := newClient(in, os.Args[2])
	p := &side{in, client, operations(in, client)}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		text, err := p.reply(lines.Text())
		if err != nil {
			text = "error " + err.Error()
		}
		fmt.Println(text)
	}
}
