// SPDX-License-Identifier: MIT

// A test in Go over HTTP that needs only the standard library. Here the client is a few bytes on a socket: replace them
// by the client that you test.
//
//	mqtt-ref oracle control --token secret &
//	TOKEN=secret go test ./examples/oracle/lost_puback_test.go
package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

type broker struct {
	ID   string `json:"id"`
	URL  string `json:"url"`
	Port int    `json:"port"`
}

func call(t *testing.T, method, path, body string, into any) {
	t.Helper()
	base := os.Getenv("ORACLE")
	if base == "" {
		base = "http://127.0.0.1:8090"
	}
	request, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %s %s", method, path, answer.Status, data)
	}
	if into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLostPuback(t *testing.T) {
	var b broker
	call(t, "POST", "/v1/brokers",
		`{"rules": [{"when": {"packet": "PUBACK", "to": "sensor", "nth": 1}, "do": {"type": "close"}}]}`, &b)
	path := "/v1/brokers/" + b.ID
	defer call(t, "DELETE", path, "", nil)

	connect := []byte("\x10\x12\x00\x04MQTT\x04\x00\x00\x3c\x00\x06sensor") // 3.1.1, Clean Session 0
	publish := []byte("\x32\x09\x00\x03a/b\x00\x01hi")                      // QoS 1, Packet Identifier 1
	talk := func(packets ...[]byte) []byte {
		link, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", b.Port))
		if err != nil {
			t.Fatal(err)
		}
		defer link.Close()
		connack := make([]byte, 4)
		_, _ = link.Write(packets[0])
		if _, err := io.ReadFull(link, connack); err != nil {
			t.Fatal(err)
		}
		_, _ = link.Write(bytes.Join(packets[1:], nil))
		rest := make([]byte, 4)
		n, _ := io.ReadFull(link, rest)
		return rest[:n]
	}
	if got := talk(connect, publish); len(got) != 0 {
		t.Fatalf("the PUBACK was not lost: % x", got)
	}
	again := bytes.Clone(publish)
	again[0] |= 0x08 // DUP
	if got := talk(connect, again); !bytes.Equal(got, []byte("\x40\x02\x00\x01")) {
		t.Fatalf("no PUBACK, but % x", got)
	}
	call(t, "POST", path+"/wait", `{"packet": {"from": "sensor", "dup": true}}`, nil)
	var verdict struct {
		Clean    bool              `json:"clean"`
		Findings []json.RawMessage `json:"findings"`
	}
	call(t, "GET", path+"/verdict", "", &verdict)
	if !verdict.Clean {
		t.Fatalf("the client broke rules: %s", verdict.Findings)
	}
}
