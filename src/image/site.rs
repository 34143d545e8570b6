//! A web server for files: nginx, configured to run without root and on a read-only file system.

use super::plan::Plan;

const CONFIG: &str = "/etc/peelbox/nginx.conf";
const PORT: u16 = 8080;
// nginx makes these at its start; they only need to be there already where the file system is read-only.
const TEMPORARY: &str = "/var/lib/peelbox";

/// Makes `plan` serve its working directory over HTTP.
pub(super) fn serve(plan: &mut Plan<'_>) {
    let port = plan.ports.first().copied().unwrap_or(PORT);
    plan.ports = vec![port];
    plan.files.insert(
        CONFIG.to_owned(),
        configuration(&plan.workdir, port).into_bytes(),
    );
    plan.command = ["/usr/sbin/nginx", "-c", CONFIG, "-e", "/dev/stderr"]
        .map(str::to_owned)
        .to_vec();
    plan.writable.extend(
        ["body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{TEMPORARY}/{name}")),
    );
}

fn configuration(root: &str, port: u16) -> String {
    // A path of the spec must not end the directive it stands in.
    let root = root
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('$', "${dollar}");
    format!(
        r#"daemon off;
worker_processes 1;
pid /dev/null;
error_log /dev/stderr warn;
events {{
    worker_connections 1024;
}}
http {{
    geo $dollar {{
        default "$";
    }}
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /dev/stdout;
    server_tokens off;
    sendfile on;
    absolute_redirect off;
    gzip on;
    gzip_static on;
    gzip_types application/javascript application/json application/wasm image/svg+xml text/css text/plain text/xml;
    client_body_temp_path {TEMPORARY}/body;
    proxy_temp_path {TEMPORARY}/proxy;
    fastcgi_temp_path {TEMPORARY}/fastcgi;
    uwsgi_temp_path {TEMPORARY}/uwsgi;
    scgi_temp_path {TEMPORARY}/scgi;
    server {{
        listen {port};
        root "{root}";
        index index.html;
        error_page 404 /404.html;
        location ~ /\.(?!well-known/) {{
            return 404;
        }}
        location / {{
            try_files $uri $uri.html $uri/ =404;
        }}
    }}
}}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_end_its_directive() {
        assert!(configuration("/a\"; }$x\\", 80).contains("root \"/a\\\"; }${dollar}x\\\\\";"));
    }
}
