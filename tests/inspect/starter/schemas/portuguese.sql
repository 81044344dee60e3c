-- Portuguese legacy shop, schema vendas, abbreviations, composite keys, no foreign keys.
CREATE SCHEMA vendas;
CREATE TABLE vendas.tb_cliente (cd_empresa int, cd_cliente int, nm_cliente varchar(60), sobrenome varchar(60), ds_email varchar(120), nr_telefone varchar(20), nr_cpf varchar(14), PRIMARY KEY (cd_empresa, cd_cliente));
CREATE TABLE vendas.tb_pedido (cd_empresa int, nr_pedido int, cd_cliente int NOT NULL, dt_pedido timestamp NOT NULL, dt_alteracao timestamp, sg_moeda char(3) NOT NULL, vl_frete numeric(12,2), vl_desconto numeric(12,2), vl_total numeric(12,2), ie_situacao char(1), dt_cancelamento timestamp, dt_envio timestamp, nr_rastreio varchar(40),
 ds_rua_entrega varchar(100), nr_entrega varchar(10), nm_cidade_entrega varchar(60), sg_uf_entrega char(2), nr_cep_entrega char(9), sg_pais_entrega char(2), PRIMARY KEY (cd_empresa, nr_pedido));
CREATE TABLE vendas.tb_pedido_item (cd_empresa int, nr_pedido int, nr_seq int, cd_produto varchar(20) NOT NULL, qt_pedida numeric(10,0) NOT NULL, vl_unitario numeric(12,2) NOT NULL, vl_desconto numeric(12,2), PRIMARY KEY (cd_empresa, nr_pedido, nr_seq));
CREATE TABLE vendas.tb_produto (cd_produto varchar(20) PRIMARY KEY, ds_produto varchar(100) NOT NULL, vl_custo numeric(12,2));
CREATE TABLE vendas.tb_status (ie_situacao char(1) PRIMARY KEY, ds_status varchar(20));
CREATE TABLE vendas.tb_orcamento (cd_empresa int, nr_orcamento int, cd_cliente int, dt_orcamento timestamp, PRIMARY KEY (cd_empresa, nr_orcamento));
