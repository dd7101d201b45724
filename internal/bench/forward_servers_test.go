package bench

import (
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

const (
	// upstreamVariable is set for a process that is to be the stand-in for Voiceflow.
	upstreamVariable = "FLOWLATCH_BENCH_UPSTREAM"
	// proxyVariable holds the URL of the upstream for a process that is to be the bare
	// reverse proxy.
	proxyVariable = "FLOWLATCH_BENCH_PROXY"
)

// traces is what an assistant says in a turn: about 1 KiB, in the form that Voiceflow
// documents (https://docs.voiceflow.com/reference/trace-types).
const traces = `[
{"time":1764000000000,"type":"flow","payload":{"diagramID":"65f1c0d2a7b3e40007d1a001","name":"Opening hours"}},
{"time":1764000000001,"type":"block","payload":{"blockID":"65f1c0d2a7b3e40007d1a002"}},
{"time":1764000000002,"type":"text","payload":{"slate":{"id":"dummy","content":[{"children":[{"text":"On Saturdays we are open from 9 to 4."}]}],"messageDelayMilliseconds":0},"message":"On Saturdays we are open from 9 to 4.","delay":0}},
{"time":1764000000003,"type":"text","payload":{"slate":{"id":"dummy","content":[{"children":[{"text":"Would you like to make an appointment, or to know how to find us?"}]}],"messageDelayMilliseconds":0},"message":"Would you like to make an appointment, or to know how to find us?","delay":0}},
{"time":1764000000004,"type":"choice","payload":{"buttons":[{"name":"Make an appointment","request":{"type":"path-1","payload":{"label":"Make an appointment"}}},{"name":"Find us","request":{"type":"path-2","payload":{"label":"Find us"}}}]}}
]`

// serveUpstream is the stand-in: it answers every turn that comes with a key, at once.
func serveUpstream(ctx context.Context, _ string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /state/user/{userID}/interact", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil || !strings.HasPrefix(r.Header.Get("Authorization"), "VF.") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(traces)))
		_, _ = io.WriteString(w, traces)
	})
	return serveHTTP(ctx, mux)
}

// serveProxy is the bare reverse proxy to the upstream at that URL.
func serveProxy(ctx context.Context, upstream string) error {
	target, err := url.Parse(upstream)
	if err != nil {
		return err
	}
	return serveHTTP(ctx, &httputil.ReverseProxy{
		Rewrite:    func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:  &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
		BufferPool: &buffers{},
	})
}

// buffers are those of the proxy, of the size that it would make itself.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if pooled, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return pooled[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put((*[32 << 10]byte)(buffer)) }
