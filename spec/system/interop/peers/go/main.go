// pusher-http-go v5 as a peer: see ../node.js for what goes in and comes out.
package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	pusher "github.com/pusher/pusher-http-go/v5"
)

type params struct {
	Prefix *string `json:"filter_by_prefix"`
	Info   *string `json:"info"`
}

type event struct {
	Channel  string      `json:"channel"`
	Name     string      `json:"name"`
	Data     interface{} `json:"data"`
	SocketID *string     `json:"socket_id"`
	Info     *string     `json:"info"`
}

type call struct {
	Op       string
	Channel  string
	Channels []string
	Event    string
	Events   []event
	Data     interface{}
	SocketID *string `json:"socket_id"`
	Info     *string
	Params   params
	User     json.RawMessage
	Member   *pusher.MemberData
}

type result struct {
	Text    string `json:"text,omitempty"`
	Skipped bool   `json:"skipped,omitempty"`
}

var given struct {
	App struct {
		AppID     string `json:"app_id"`
		Key       string
		Secret    string
		Host      string
		Port      int
		MasterKey string `json:"master_key"`
	}
	Calls []call
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func userID(c call) (id string) {
	check(json.Unmarshal(c.User, &id))
	return
}

func sendBatch(client *pusher.Client, c call) error {
	var batch []pusher.Event
	for _, e := range c.Events {
		batch = append(batch, pusher.Event{Channel: e.Channel, Name: e.Name, Data: e.Data, SocketID: e.SocketID, Info: e.Info})
	}
	_, err := client.TriggerBatch(batch)
	return err
}

func authorize(client *pusher.Client, c call) (text []byte, err error) {
	form := []byte(url.Values{"socket_id": {*c.SocketID}, "channel_name": {c.Channel}}.Encode())
	if c.Member != nil {
		return client.AuthorizePresenceChannel(form, *c.Member)
	}
	return client.AuthorizePrivateChannel(form)
}

func authenticate(client *pusher.Client, c call) ([]byte, error) {
	var user map[string]interface{}
	check(json.Unmarshal(c.User, &user))
	return client.AuthenticateUser([]byte(url.Values{"socket_id": {*c.SocketID}}.Encode()), user)
}

func run(client *pusher.Client, c call) result {
	var err error
	var text []byte
	switch c.Op {
	case "trigger":
		_, err = client.TriggerMultiWithParams(c.Channels, c.Event, c.Data, pusher.TriggerParams{SocketID: c.SocketID, Info: c.Info})
	case "batch":
		err = sendBatch(client, c)
	case "send_to_user":
		err = client.SendToUser(userID(c), c.Event, c.Data)
	case "channels":
		_, err = client.Channels(pusher.ChannelsParams{FilterByPrefix: c.Params.Prefix, Info: c.Params.Info})
	case "channel":
		_, err = client.Channel(c.Channel, pusher.ChannelParams{Info: c.Params.Info})
	case "users":
		_, err = client.GetChannelUsers(c.Channel)
	case "authorize":
		text, err = authorize(client, c)
	case "authenticate":
		text, err = authenticate(client, c)
	default:
		return result{Skipped: true}
	}
	check(err)
	return result{Text: string(text)}
}

func main() {
	check(json.Unmarshal([]byte(os.Args[1]), &given))
	app := given.App
	client := &pusher.Client{AppID: app.AppID, Key: app.Key, Secret: app.Secret,
		Host: fmt.Sprintf("%s:%d", app.Host, app.Port), EncryptionMasterKeyBase64: app.MasterKey}
	results := []result{}
	for _, c := range given.Calls {
		results = append(results, run(client, c))
	}
	check(json.NewEncoder(os.Stdout).Encode(results))
}
