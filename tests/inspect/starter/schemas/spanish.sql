-- A Spanish one: the header holds everything, the words for name and state mean two things.
CREATE TABLE cab_pedidos (
    id_pedido bigint PRIMARY KEY, fecha timestamp NOT NULL, estado varchar(20) NOT NULL, nombre varchar(60),
    apellidos varchar(80), correo varchar(120), direccion varchar(120), ciudad varchar(60), provincia varchar(60),
    cp varchar(10), moneda char(3), gastos_envio numeric(10, 2), fecha_envio timestamp, fecha_entrega timestamp
);
CREATE TABLE det_pedidos (
    id_pedido bigint NOT NULL, linea integer NOT NULL, sku varchar(30) NOT NULL, descripcion varchar(120) NOT NULL,
    cantidad integer NOT NULL, precio numeric(10, 2) NOT NULL, PRIMARY KEY (id_pedido, linea)
);
CREATE TABLE proveedores (id_proveedor bigint PRIMARY KEY, nombre varchar(80));
