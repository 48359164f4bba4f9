package postoffice

import (
	"io"
	"net"
	"testing"
	"time"
)

// fuzzServer has whatever octets said to a server, which must neither panic nor hang.
func fuzzServer(f *testing.F, show func(*Office, Trouble) *Server) {
	f.Fuzz(func(t *testing.T, said []byte) {
		office := New()
		office.Account("me", "secret").Deliver(Inbox, Message{Octets: []byte("A: b\n\nc")})
		srv := show(office, Trouble{Faults: []Fault{{Verb: "NOOP", At: 2, Do: Done, Say: "* x"}}})
		client, server := net.Pipe()
		client.SetDeadline(time.Now().Add(5 * time.Second))
		go func() {
			client.Write(said)
			client.Close()
		}()
		go io.Copy(io.Discard, client)
		srv.ServeConn(server)
		srv.Close()
	})
}

func FuzzPOP3(f *testing.F) {
	f.Add([]byte("USER me\r\nPASS secret\r\nRETR 1\r\nTOP 1 2\r\nUIDL\r\nNOOP\r\nNOOP\r\nDELE 1\r\nQUIT\r\n"))
	f.Add([]byte("RETR \x00\r\n\r\n \r\nTOP\r\nLIST -1\r\n"))
	fuzzServer(f, (*Office).POP3)
}

func FuzzIMAP(f *testing.F) {
	const in = "a LOGIN me secret\r\n"
	f.Add([]byte(in + "b SELECT INBOX\r\nc UID FETCH 1:* (FLAGS BODY[HEADER.FIELDS (A)] BODY[]<1.2>)\r\nd NOOP\r\ne NOOP\r\n"))
	f.Add([]byte(in + "b APPEND \"x \\\" (\" (a) {3+}\r\nabc\r\nc APPEND {5+}\r\nINBOX {1}\r\nx\r\n"))
	f.Add([]byte(in + "b STORE\r\nc STORE 1 FLAGS\r\nd SEARCH *:4 NOT (OR 1 2)\r\ne UID EXPUNGE 4,*\r\nf APPEND\r\n"))
	f.Add([]byte(in + "b APPEND INBOX {99999999999999999999}\r\n\r\n\r\nc LIST (SUBSCRIBED) \"\" (a b) RETURN (STATUS (SIZE))\r\n"))
	f.Add([]byte("a AUTHENTICATE PLAIN\r\n*\r\nb XYZ\r\n"))
	fuzzServer(f, (*Office).IMAP)
}
