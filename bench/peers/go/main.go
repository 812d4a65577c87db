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
	Channel          string            `json:"channel"`
	Event            string            `json:"event"`
	Data             map[string]string `json:"data"`
	InFlight         int               `json:"in_flight"`
	RawMember        struct {
		UserID   string            `json:"user_id"`
		UserInfo map[string]string `json:"user_info"`
	} `json:"member"`
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
	transport.MaxIdleConnsPerHost = in.InFlight
	return &pusher.Client{
		AppID: in.AppID, Key: in.Key, Secret: in.Secret, Host: "127.0.0.1:" + port,
		EncryptionMasterKeyBase64: in.MasterKeyBase64,
		HTTPClient:                &http.Client{Timeout: 5 * time.Second, Transport: transport},
	}
}

func operations(in inputs, client *pusher.Client) map[string]operation {
	private, presence, encrypted := []byte(in.PrivateForm), []byte(in.PresenceForm), []byte(in.EncryptedForm)
	body := []byte(in.WebhookBody)
	header := http.Header{}
	header.Set("X-Pusher-Key", in.Key)
	header.Set("X-Pusher-Signature", in.WebhookSignature)
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
		"webhook": func() (string, error) {
			hook, err := client.Webhook(header, body)
			if err != nil {
				return "", err
			}
			return hook.Events[0].Data, nil
		},
		"trigger": func() (string, error) {
			return "ok", client.Trigger(in.Channel, in.Event, in.Data)
		},
	}
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

func reply(all map[string]operation, inFlight int, line string) (string, error) {
	fields := strings.Fields(line)
	if len(fields) != 2 {
		return "", fmt.Errorf("two words expected")
	}
	if fields[0] == "show" {
		op, known := all[fields[1]]
		if !known {
			return "none", nil
		}
		return op()
	}
	goroutines := 1
	name := fields[0]
	if name == "in_flight" {
		goroutines, name = inFlight, "trigger"
	}
	op, known := all[name]
	n, err := strconv.Atoi(fields[1])
	if !known || err != nil {
		return "none", err
	}
	wallBefore, cpuBefore := time.Now(), cpu()
	err = run(op, n, goroutines)
	return fmt.Sprintf("%d %d", time.Since(wallBefore).Nanoseconds(), cpu()-cpuBefore), err
}

func main() {
	in := readInputs(os.Args[1])
	all := operations(in, newClient(in, os.Args[2]))
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		text, err := reply(all, in.InFlight, lines.Text())
		if err != nil {
			text = "error " + err.Error()
		}
		fmt.Println(text)
	}
}
