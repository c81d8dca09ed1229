// Caches the page's own files, so that an installed page opens at once and can say that the server is away. API responses are never cached.

const CACHE = "mien-page";
const FILES = [
  "/",
  "/app/page.css",
  "/app/page.js",
  "/app/bars.js",
  "/app/camera.js",
  "/app/classes.js",
  "/app/people.js",
  "/app/session.js",
  "/app/stage.js",
  "/app/timeline.js",
  "/app/visit.js",
  "/app/watch.js",
  "/manifest.webmanifest",
  "/icon.svg",
  "/icon-192.png",
  "/icon-512.png",
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

async function keep(path, response) {
  await (await caches.open(CACHE)).put(path, response);
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin || !FILES.includes(url.pathname)) return;
  // Network first, so that a newer server never gets an older one's page.
  event.respondWith(
    fetch(request)
      .then(async (response) => {
        // The page still works if the browser has no room for the copy.
        if (response.ok) await keep(url.pathname, response.clone()).catch(() => {});
        return response;
      })
      .catch(() => caches.match(url.pathname)),
  );
});
