package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/flowlatch/flowlatch/app/pages"
	"github.com/flowlatch/flowlatch/domain"
)

//go:embed static
var staticFiles embed.FS

// staticPath is where the static files are. Their names have a hash of their content, so browsers
// may keep them for ever.
const staticPath = "/console/static/"

// asset is a static file.
type asset struct {
	media  string
	plain  []byte
	zipped []byte // nil if it is no smaller
}

// assets are the static files.
type assets struct {
	byName map[string]asset  // by the name with its hash
	names  map[string]string // the name with its hash, by the plain one
}

func newAssets() (assets, error) {
	all := assets{byName: map[string]asset{}, names: map[string]string{}}
	files, err := staticFiles.ReadDir("static")
	if err != nil {
		return all, fmt.Errorf("console: %w", err)
	}
	for _, f := range files {
		b, err := staticFiles.ReadFile("static/" + f.Name())
		if err != nil {
			return all, fmt.Errorf("console: %w", err)
		}
		hash, suffix := sha256.Sum256(b), path.Ext(f.Name())
		name := strings.TrimSuffix(f.Name(), suffix) + "." + hex.EncodeToString(hash[:6]) + suffix
		a := asset{media: mime.TypeByExtension(suffix), plain: b}
		if zipped := zip(b); len(zipped) < len(b) {
			a.zipped = zipped
		}
		all.byName[name], all.names[f.Name()] = a, name
	}
	return all, nil
}

// zip returns b compressed with gzip.
func zip(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is valid
	_, _ = w.Write(b)                                       // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// serveAsset answers with a static file.
func (c *console) serveAsset(x pages.Exchange) error {
	a, ok := c.assets.byName[x.Param("file")]
	if !ok {
		return &domain.Error{Kind: domain.NotFound, Public: "there is no such file"}
	}
	h := x.Writer().Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", a.media)
	h.Set("Vary", "Accept-Encoding")
	// An SVG that is opened by itself is a document and could run scripts.
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	body := a.plain
	if a.zipped != nil && takesGzip(x.Request()) {
		h.Set("Content-Encoding", "gzip")
		body = a.zipped
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.Writer().WriteHeader(http.StatusOK)
	_, _ = x.Writer().Write(body) // an error means that the client is gone
	return nil
}

// takesGzip reports whether the client takes an answer that is compressed with gzip.
func takesGzip(r *http.Request) bool {
	for value := range strings.SplitSeq(strings.Join(r.Header["Accept-Encoding"], ","), ",") {
		coding, quality, _ := strings.Cut(value, ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			weight, weighted := strings.CutPrefix(strings.ReplaceAll(quality, " ", ""), "q=")
			zero, err := strconv.ParseFloat(weight, 64)
			return !weighted || err == nil && zero > 0
		}
	}
	return false
}
