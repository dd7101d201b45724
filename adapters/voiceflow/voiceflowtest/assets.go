package voiceflowtest

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"image"
	"image/color"
	"image/png"
	"math"
	"net/http"
	"strings"
)

// The size of every picture, in pixels.
const (
	pictureWidth  = 320
	pictureHeight = 180
)

// serveAsset serves GET /assets/{name}: a picture for a name that ends in .png, and a tone for one that
// ends in .wav. At Voiceflow, pictures and audio have other hosts, so this path is no path of its API.
func serveAsset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	switch {
	case strings.HasSuffix(name, ".png"):
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(picture(name)) // an error means that the client left
	case strings.HasSuffix(name, ".wav"):
		w.Header().Set("Content-Type", "audio/wav")
		_, _ = w.Write(tone())
	default:
		unknownPath(w, r)
	}
}

// picture returns a disk on a plain ground, as a PNG. The name decides about the color.
func picture(name string) []byte {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name)) // documented never to fail
	hue := sum.Sum32()
	disk := color.RGBA{R: 160 + byte(hue%80), G: 60 + byte(hue>>8%120), B: 40 + byte(hue>>16%80), A: 255}
	ground := color.RGBA{R: 245, G: 240, B: 230, A: 255}
	img := image.NewPaletted(image.Rect(0, 0, pictureWidth, pictureHeight), color.Palette{ground, disk})
	const radius = pictureHeight * 2 / 5
	for y := range pictureHeight {
		for x := range pictureWidth {
			if dx, dy := x-pictureWidth/2, y-pictureHeight/2; dx*dx+dy*dy < radius*radius {
				img.SetColorIndex(x, y, 1)
			}
		}
	}
	var out bytes.Buffer
	_ = png.Encode(&out, img) // a picture in memory always encodes
	return out.Bytes()
}

// tone returns a quarter of a second of 440 Hz as a WAV file with 8,000 samples of 8 bits per second.
func tone() []byte {
	const rate, samples, pitch = 8000, 2000, 440
	out := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, 36+samples)...)
	out = append(out, "WAVEfmt "...)
	out = binary.LittleEndian.AppendUint32(out, 16)   // the size of this part
	out = binary.LittleEndian.AppendUint16(out, 1)    // PCM
	out = binary.LittleEndian.AppendUint16(out, 1)    // one channel
	out = binary.LittleEndian.AppendUint32(out, rate) // samples per second
	out = binary.LittleEndian.AppendUint32(out, rate) // bytes per second
	out = binary.LittleEndian.AppendUint16(out, 1)    // bytes per sample
	out = binary.LittleEndian.AppendUint16(out, 8)    // bits per sample
	out = append(out, "data"...)
	out = binary.LittleEndian.AppendUint32(out, samples)
	for i := range samples {
		out = append(out, byte(128+64*math.Sin(2*math.Pi*pitch*float64(i)/rate)))
	}
	return out
}
